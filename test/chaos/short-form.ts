import { expect } from 'vitest';
import { renderReport } from './report.ts';
import { runChaos, type ChaosOptions } from './run-chaos.ts';

/** The short form of `npm run chaos`, for the tests; the seed decides the order of the faults. */
export async function surviveShortForm(store: ChaosOptions['store']): Promise<void> {
  const report = await runChaos({
    store,
    form: 'short',
    seed: 7,
    workers: 3,
    documents: 3_000,
    msPerText: 4,
    tell: () => undefined,
  });
  expect(report, renderReport(report)).toMatchObject({
    exitCode: 3,
    verdict: {
      lost: 0,
      wrong: 0,
      countedTwice: 0,
      otherDeadLetters: {},
      deadLettersFound: report.verdict.deadLettersPlanted,
    },
  });
  expect(report.verdict.deadLettersPlanted).toBeGreaterThan(0);
}

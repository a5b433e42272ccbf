import { expect } from 'vitest';
import { renderReport } from './report.ts';
import { runChaos, type ChaosOptions } from './run-chaos.ts';

/**
 * The short form of `npm run chaos`, for the tests.
 * @param seed decides the order of the faults, and which one of those that take long is among them; CHAOS_SEED overrides it
 */
export async function surviveShortForm(store: ChaosOptions['store'], seed: number): Promise<void> {
  const report = await runChaos({
    store,
    form: 'short',
    seed: Number(process.env['CHAOS_SEED'] ?? seed),
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

import { expect, test } from 'vitest';
import { renderReport } from '../chaos/report.ts';
import { runChaos } from '../chaos/run-chaos.ts';

/** The short form of `npm run chaos`; the seed decides the order of the faults. */
test.each(['sqlite', 'qdrant'] as const)(
  'whatever goes wrong, every chunk is there once and counted once: %s',
  { timeout: 400_000 },
  async (store) => {
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
  },
);

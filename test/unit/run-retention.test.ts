import { describe, expect, test } from 'vitest';
import {
  chooseForgetting,
  MAX_ENDED_BYTES,
  MAX_ENDED_RUNS,
  type EndedRun,
} from '../../packages/core/src/run/run-retention.ts';

const DAY_MS = 24 * 3600 * 1000;
const NOW_MS = 1_000 * DAY_MS;

/** Runs of which one ended every so often, newest first. */
function ended(count: number, everyMs: number, changes: (index: number) => Partial<EndedRun> = () => ({})) {
  return Array.from({ length: count }, (_, index): EndedRun => ({
    runId: `r${index}`,
    failed: false,
    endedAtMs: NOW_MS - index * everyMs,
    deadLetters: 0,
    letterBytes: 0,
    recordBytes: 1_500,
    ...changes(index),
  }));
}

const kept = (runs: readonly EndedRun[]) => {
  const { runs: forgotten, letters } = chooseForgetting(runs, NOW_MS);
  const left = runs.filter((run) => !forgotten.includes(run));
  const bytes = left.reduce(
    (sum, run) => sum + run.recordBytes + (letters.includes(run) ? 0 : run.letterBytes),
    0,
  );
  return { ids: left.map(({ runId }) => runId), bytes, letters: letters.map(({ runId }) => runId) };
};

describe('of the ended runs of a pipeline', () => {
  test('a minutely schedule keeps its last ones, far below 5 MB a month', () => {
    const { ids, bytes } = kept(ended(43_200, 60_000));
    expect(ids).toHaveLength(MAX_ENDED_RUNS);
    expect(ids[0]).toBe('r0');
    expect(bytes).toBeLessThan(1_000_000);
  });

  test('a minutely schedule of which each run has dead letters stays below 5 MB, with the details of the last', () => {
    const { bytes, letters } = kept(
      ended(43_200, 60_000, () => ({ deadLetters: 500, letterBytes: 400_000 })),
    );
    expect(bytes).toBeLessThanOrEqual(MAX_ENDED_BYTES + 400_000);
    expect(letters).not.toContain('r0');
    expect(letters).toContain('r199');
  });

  test('the details of the last that has any are kept, however large', () => {
    const large = (index: number) =>
      index === 3 || index === 5 ? { deadLetters: 1, letterBytes: 9_000_000 } : {};
    expect(kept(ended(10, DAY_MS, large)).letters).toEqual(['r5']);
  });

  test('those older than a month go, but for the last ten and the last ten that failed or have dead letters', () => {
    const { ids } = kept(ended(100, DAY_MS, (index) => (index % 20 === 0 ? { failed: true } : {})));
    expect(ids).toHaveLength(31 + 3);
    expect(ids.slice(-3)).toEqual(['r40', 'r60', 'r80']);
    expect(kept(ended(12, 40 * DAY_MS)).ids).toHaveLength(10);
    const withLetters = ended(300, 60_000, (index) => (index > 250 ? { deadLetters: 1 } : {}));
    expect(kept(withLetters).ids).toHaveLength(MAX_ENDED_RUNS + 10);
  });
});

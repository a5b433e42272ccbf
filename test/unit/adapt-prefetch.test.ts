import { expect, test } from 'vitest';
import { batchesAtOnce } from '../../apps/worker/src/adapt-prefetch.ts';

test('batches are taken early only when there is one for every process of every worker', () => {
  const [workers, processes] = [3, 2];
  expect(batchesAtOnce(0, workers, processes)).toBe(2);
  expect(batchesAtOnce(6, workers, processes)).toBe(2);
  expect(batchesAtOnce(7, workers, processes)).toBe(5);
});

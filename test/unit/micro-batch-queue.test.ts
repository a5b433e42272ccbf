import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MicroBatchQueue } from '../../packages/core/src/embedder/micro-batch-queue.ts';

interface Text {
  readonly ids: readonly number[];
  readonly name: number;
}

const textOf = (length: number, name: number): Text => ({ ids: Array<number>(length).fill(7), name });

function drain(queue: MicroBatchQueue<Text>, maxTokens: number): Text[][] {
  const batches: Text[][] = [];
  for (let batch = queue.take(maxTokens); batch.length > 0; batch = queue.take(maxTokens))
    batches.push(batch);
  return batches;
}

test('every text comes out once, among texts of its length, within the budget; the longest-waiting one is always next', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 300 }),
      fc.integer({ min: 0, max: 512 }),
      (lengths, maxTokens) => {
        const queue = new MicroBatchQueue<Text>({ mixesLengths: false });
        lengths.forEach((length, name) => queue.add(textOf(length, name)));
        const batches = drain(queue, maxTokens);
        expect(
          batches
            .flat()
            .map(({ name }) => name)
            .sort((a, b) => a - b),
        ).toEqual([...lengths.keys()]);
        const left = new Set(lengths.keys());
        for (const batch of batches) {
          const [first] = batch;
          expect(first?.name).toBe(Math.min(...left));
          expect(new Set(batch.map(({ ids }) => ids.length)).size).toBe(1);
          if (batch.length > 1)
            expect(batch.length * (first?.ids.length ?? 0)).toBeLessThanOrEqual(maxTokens);
          for (const { name } of batch) left.delete(name);
        }
      },
    ),
  );
});

test('micro-batches are filled up from texts of other calls', () => {
  const queue = new MicroBatchQueue<Text>({ mixesLengths: false });
  [10, 20, 10, 20, 10].forEach((length, name) => queue.add(textOf(length, name)));
  expect(drain(queue, 30).map((batch) => batch.map(({ name }) => name))).toEqual([[0, 2, 4], [1], [3]]);
});

test('what must have no company comes first, and by itself', () => {
  const queue = new MicroBatchQueue<Text>({ mixesLengths: false });
  queue.add(textOf(5, 0));
  queue.addAlone(textOf(5, 1));
  queue.addAlone(textOf(5, 2));
  queue.add(textOf(5, 3));
  expect(drain(queue, 512).map((batch) => batch.map(({ name }) => name))).toEqual([[1], [2], [0, 3]]);
});

test('what is removed is not handed out', () => {
  const queue = new MicroBatchQueue<Text>({ mixesLengths: false });
  [4, 4, 9].forEach((length, name) => queue.add(textOf(length, name)));
  queue.addAlone(textOf(4, 3));
  queue.remove(({ name }) => name === 3 || name === 0 || name === 2);
  expect(drain(queue, 512).map((batch) => batch.map(({ name }) => name))).toEqual([[1]]);
});

test('where lengths are mixed, texts of any lengths go together in the order in which they came, within the budget', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 200 }),
      fc.integer({ min: 0, max: 512 }),
      (lengths, maxTokens) => {
        const queue = new MicroBatchQueue<Text>({ mixesLengths: true });
        lengths.forEach((length, name) => queue.add(textOf(length, name)));
        const batches = drain(queue, maxTokens);
        expect(batches.flat().map(({ name }) => name)).toEqual([...lengths.keys()]);
        const tokens = batches.map((batch) => batch.reduce((sum, { ids }) => sum + ids.length, 0));
        batches.forEach((batch, index) => {
          if (batch.length > 1) expect(tokens[index]).toBeLessThanOrEqual(maxTokens);
          // The next text would not have fitted.
          const next = batches[index + 1]?.[0];
          if (next !== undefined && maxTokens > 0)
            expect((tokens[index] ?? 0) + next.ids.length).toBeGreaterThan(maxTokens - batch.length - 1);
        });
      },
    ),
  );
});

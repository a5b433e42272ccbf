import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { mapInOrder } from '../../apps/producer/src/ingest/in-order.ts';

async function* numbers(count: number, onNext: (index: number) => void = () => undefined) {
  for (let index = 0; index < count; index += 1) {
    onNext(index);
    yield index;
  }
}

test('results come in the order of the items, whichever is made first', async () => {
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const results = mapInOrder(numbers(5), async (index) => {
    begun.push(index);
    await gates[index]?.promise;
    return index * 10;
  });
  const all = Array.fromAsync(results);
  gates.toReversed().forEach(({ resolve }) => resolve());
  expect(await all).toEqual([0, 10, 20, 30, 40]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});

test('a result does not wait for a source that is slow', async () => {
  const second = Promise.withResolvers<void>();
  async function* slow() {
    yield 'first';
    await second.promise;
    yield 'second';
  }
  const results = mapInOrder(slow(), (item) => Promise.resolve(item));
  expect((await results.next()).value).toBe('first');
  second.resolve();
  expect((await results.next()).value).toBe('second');
  expect((await results.next()).done).toBe(true);
});

test('never more than two are being made, and one is fetched ahead', async () => {
  let fetched = 0;
  let underWay = 0;
  let most = 0;
  const results = mapInOrder(
    numbers(50, () => (fetched += 1)),
    async (index) => {
      underWay += 1;
      most = Math.max(most, underWay);
      await yieldToEventLoop();
      underWay -= 1;
      return index;
    },
  );
  let taken = 0;
  for await (const index of results) {
    expect(index).toBe(taken);
    taken += 1;
    expect(fetched - taken).toBeLessThanOrEqual(3);
  }
  expect(taken).toBe(50);
  expect(most).toBe(2);
});

test('an error of an item or of the source comes in its turn, and nowhere else', async () => {
  const failing = mapInOrder(numbers(4), (index) =>
    index === 1 ? Promise.reject(new Error('item 1')) : Promise.resolve(index),
  );
  expect((await failing.next()).value).toBe(0);
  await expect(failing.next()).rejects.toThrow('item 1');
  async function* broken() {
    yield 7;
    throw new Error('source');
  }
  const results = mapInOrder(broken(), (item) => Promise.resolve(item));
  await expect(Array.fromAsync(results)).rejects.toThrow('source');
});

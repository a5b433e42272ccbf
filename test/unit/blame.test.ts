import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EmbedlineError, Outages } from '@embedline/core';
import { assertEmbedderWorks } from '../../apps/worker/src/assert-embedder-works.ts';
import { isolatePoison } from '../../apps/worker/src/isolate-poison.ts';
import { RejectionBreaker } from '../../apps/worker/src/rejection-breaker.ts';
import { fakeEmbedder, fakeModel } from '../support/fake-embedder.ts';

describe('poison', () => {
  test('any set of bad items is found, and costs itself alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 40 }), async (bad) => {
        const items = bad.map((isBad, index) => ({ isBad, index }));
        const result = await isolatePoison(
          items,
          (some) =>
            some.some(({ isBad }) => isBad)
              ? Promise.reject(new RangeError('poison'))
              : Promise.resolve(some.map(({ index }) => index)),
          (error) => error instanceof RangeError,
        );
        expect(result.processed.map(({ result: index }) => index)).toEqual(
          items.filter(({ isBad }) => !isBad).map(({ index }) => index),
        );
        expect(result.poison.map(({ item }) => item.index)).toEqual(
          items.filter(({ isBad }) => isBad).map(({ index }) => index),
        );
      }),
    );
  });

  test('an error of a service is not taken for poison', async () => {
    await expect(
      isolatePoison(
        [1, 2],
        () => Promise.reject(new Error('down')),
        () => false,
      ),
    ).rejects.toThrow('down');
  });
});

describe('outages', () => {
  const down = new EmbedlineError('STORE_UNREACHABLE', 'down', { retryable: true });
  const failing = (times: number) => {
    let calls = 0;
    return () => ((calls += 1) <= times ? Promise.reject(down) : Promise.resolve('done'));
  };

  test('are waited out and told, several that wait as one; other errors are not', async () => {
    const told: (string | null)[] = [];
    const outages = new Outages({ onChange: (outage) => told.push(outage?.reason ?? null) });
    const both = [outages.waitOut(failing(1)), outages.waitOut(failing(2))];
    expect(await Promise.all(both)).toEqual(['done', 'done']);
    expect(told).toEqual(['down', 'down', 'down', null]);
    const rejected = new EmbedlineError('STORE_REJECTED', 'bad point');
    await expect(outages.waitOut(() => Promise.reject(rejected))).rejects.toBe(rejected);
    expect(told).toHaveLength(4);
  });

  test('are waited for until one is told to stop', async () => {
    const stop = new AbortController();
    const told: (string | null)[] = [];
    const onChange = (outage: { reason: string } | null) => {
      told.push(outage?.reason ?? null);
      stop.abort();
    };
    const outages = new Outages({ onChange });
    await expect(outages.waitOut(failing(Infinity), stop.signal)).rejects.toThrow('aborted');
    // Not that it is back.
    expect(told).toEqual(['down']);
  });
});

describe('whose fault it is', () => {
  test('a store that refuses point after point is held up, not its points', async () => {
    const breaker = new RejectionBreaker();
    const refusal = new EmbedlineError('STORE_REJECTED', 'strict mode');
    const write = (count: number, fails: boolean) =>
      breaker
        .watch(count, () => (fails ? Promise.reject(refusal) : Promise.resolve()))
        .then(
          () => 'taken',
          (error: unknown) => (error as EmbedlineError).code,
        );
    for (let index = 0; index < 32; index += 1) expect(await write(1, true)).toBe('STORE_REJECTED');
    expect(await write(1, true)).toBe('STORE_UNREACHABLE');
    expect(await write(64, true)).toBe('STORE_UNREACHABLE');
    expect(await write(1, false)).toBe('taken');
    expect(await write(64, true)).toBe('STORE_REJECTED');
  });

  test('a machine that embeds not even a plain text is held up, not the text', async () => {
    const embedder = (fails: boolean) => ({
      ...fakeEmbedder(fakeModel('one', 8)),
      embed: () =>
        fails ? Promise.reject(new Error('out of memory')) : Promise.resolve({ vectors: [], tokens: [] }),
    });
    const { signal } = new AbortController();
    await expect(assertEmbedderWorks(embedder(true), new Error('died'), signal)).rejects.toMatchObject({
      code: 'EMBEDDING_FAILED',
      retryable: true,
    });
    await assertEmbedderWorks(embedder(false), new Error('died'), signal);
  });
});

import { NO_PRODUCER_COUNTS, runKeys, type DeadLetter, type RedisConnection } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { testLedger } from '../support/recorded-run.ts';

const letter = (index: number): DeadLetter => ({
  key: `docs/some/file.jsonl:${index}`,
  stage: 'read',
  code: 'RECORD_INVALID',
  reason: 'the field "text" is missing',
  documentId: null,
  chunkIndex: null,
  origin: { file: 'docs/some/file.jsonl', line: index },
  excerpt: 'x'.repeat(200),
  attempts: 1,
});

/** Bytes of every key of a prefix. */
async function bytesOf(redis: RedisConnection, prefix: string): Promise<number> {
  const keys = await redis.keys(`${prefix}*`);
  const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
}

/** A run as a scheduled one is: some batches, done by a worker with a usual name, and some dead letters. */
async function runOnce(
  { ledger, record }: Pick<ReturnType<typeof testLedger>, 'ledger' | 'record'>,
  letters: number,
  state: 'done' | 'failed' = 'done',
): Promise<string> {
  const runId = await record();
  await ledger.seal(runId, {
    ...NO_PRODUCER_COUNTS,
    batchesTotal: 2,
    chunksTotal: 100_000,
    chunksSkipped: 99_999,
  });
  const result = { chunksEmbedded: 30, tokensEmbedded: 6_000, bytes: 60_000 };
  for (const batchIndex of [0, 1])
    await ledger.completeBatch({
      runId,
      batchIndex,
      workerId: 'embedding-worker-7c9f8b6d5-x2x4q-12345-0a1b2c3d',
      result,
      deadLetters: [],
    });
  await ledger.addDeadLetters(
    runId,
    Array.from({ length: letters }, (_, index) => letter(index)),
  );
  await ledger.end(runId, state, null);
  return runId;
}

describe('ended runs in Redis', () => {
  test('a thousand of one pipeline stay under a megabyte', { timeout: 60_000 }, async () => {
    const { redis, prefix, ledger, record } = testLedger();
    const living = await record();
    const apply = ledger.retention.apply.bind(ledger.retention);
    // Once for all of them takes less time than once for each.
    ledger.retention.apply = () => Promise.resolve();
    for (let index = 0; index < 1_000; index += 1) await runOnce({ ledger, record }, 0);
    expect(await redis.zcard(runKeys(prefix).runsOf('docs'))).toBe(1_001);
    ledger.retention.apply = apply;
    await runOnce({ ledger, record }, 0);
    const bytes = await bytesOf(redis, prefix);
    expect(bytes).toBeLessThan(1_000_000);
    expect(await redis.zcard(runKeys(prefix).runsOf('docs'))).toBeLessThanOrEqual(202);
    expect((await ledger.index.running()).map(({ spec }) => spec.runId)).toEqual([living]);
  });

  test(
    'those of which each has dead letters stay under 5 MB, and the last keeps their details',
    { timeout: 60_000 },
    async () => {
      const { redis, prefix, ledger, record } = testLedger();
      let last = '';
      for (let index = 0; index < 60; index += 1) last = await runOnce({ ledger, record }, 300);
      expect(await bytesOf(redis, prefix)).toBeLessThan(5_000_000);
      expect(await ledger.deadLetters(last)).toHaveLength(300);
      const runs = await Array.fromAsync(ledger.index.newestFirst('docs'));
      expect(runs).toHaveLength(60);
      expect(new Set(runs.map(({ deadLetters }) => deadLetters))).toEqual(new Set([300]));
    },
  );

  test('one that failed with dead letters outlives hundreds that did not', { timeout: 60_000 }, async () => {
    const { ledger, record } = testLedger();
    const failed = await runOnce({ ledger, record }, 3, 'failed');
    for (let index = 0; index < 220; index += 1) await runOnce({ ledger, record }, 0);
    expect(await ledger.deadLetters(failed)).toHaveLength(3);
    expect((await ledger.index.newestWithDeadLetters())?.spec.runId).toBe(failed);
  });

  test('entries of pipelines whose records have all expired go with the next run of any pipeline', async () => {
    const { redis, prefix, ledger, record } = testLedger();
    const keys = runKeys(prefix);
    const gone = await record({ pipeline: 'gone' });
    await redis.del(...(await redis.keys(`${prefix}:run:${gone}*`)));
    await redis.zadd(keys.pipelines, 1, 'gone');
    await record();
    expect(await redis.exists(keys.runsOf('gone'))).toBe(0);
    expect(await redis.zrange(keys.pipelines, '0', '-1')).toEqual(['docs']);
    expect(await ledger.list()).toHaveLength(1);
  });
});

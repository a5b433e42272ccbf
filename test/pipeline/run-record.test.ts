import { randomUUID } from 'node:crypto';
import {
  isComplete,
  NO_PRODUCER_COUNTS,
  RunLedger,
  runKeys,
  type DeadLetter,
  type RedisConnection,
} from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { loseAnswers } from '../support/lose-answers.ts';
import { privateRedis } from '../support/private-redis.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';
import { RUN } from '../support/run-of.ts';

const THIRTY_DAYS = 30 * 24 * 3600;

async function newRun(redis: RedisConnection = testRedis(), prefix = testPrefix()) {
  const ledger = new RunLedger({ redis, prefix });
  const runId = `run-${randomUUID().slice(0, 8)}`;
  await ledger.create({
    runId,
    ...RUN,
  });
  const complete = (batchIndex: number, on: RunLedger = ledger) =>
    on.completeBatch({
      runId,
      batchIndex,
      workerId: 'w1',
      result: { chunksEmbedded: 3, tokensEmbedded: 10, bytes: 100 },
      deadLetters: [letter(`batch-${batchIndex}`)],
    });
  const seal = (batchesTotal: number) => ledger.seal(runId, { ...NO_PRODUCER_COUNTS, batchesTotal });
  return { redis, prefix, ledger, runId, complete, seal };
}

const letter = (key: string): DeadLetter => ({
  key,
  stage: 'read',
  code: 'RECORD_INVALID',
  reason: 'x',
  documentId: null,
  chunkIndex: null,
  origin: null,
  excerpt: null,
  attempts: 1,
});

describe('counters', () => {
  test('are exact when several connections complete the same batches at once', async () => {
    const { ledger, prefix, runId, complete, seal } = await newRun();
    await seal(50);
    const others = Array.from({ length: 4 }, () => new RunLedger({ redis: testRedis(), prefix }));
    const answers = await Promise.all(
      others.flatMap((other) => Array.from({ length: 50 }, (_, index) => complete(index, other))),
    );
    expect(answers.filter((answer) => answer === 'counted')).toHaveLength(50);
    const progress = await ledger.progress(runId);
    expect(progress).toMatchObject({
      workers: {
        batchesDone: 50,
        chunksEmbedded: 150,
        tokensEmbedded: 500,
        chunksTruncated: 0,
        bytesDone: 5000,
      },
      deadLetters: 50,
      byWorker: [{ workerId: 'w1', batches: 50, chunks: 150 }],
    });
    expect(progress !== null && isComplete(progress)).toBe(true);
    expect(progress?.chunksPerSecond).toBeGreaterThan(0);
  });

  test('survive kill -9 of Redis, and batches delivered again after it count no second time', async () => {
    const server = await privateRedis();
    const redis = server.connect();
    // With `everysec`, a write may be acknowledged and not yet be in the file while an fsync is under way.
    await redis.config('SET', 'appendfsync', 'always');
    const { ledger, runId, complete, seal } = await newRun(redis);
    await seal(6);
    for (const index of [0, 2, 5]) await complete(index);
    const before = await ledger.progress(runId);
    await server.kill();
    const during = complete(1);
    await server.start();
    expect(await during).toBe('counted');
    expect(await complete(2)).toBe('already-counted');
    expect(await ledger.pendingBatches(runId, [0, 1, 2, 3, 4, 5])).toEqual([3, 4]);
    expect(await ledger.progress(runId)).toMatchObject({
      spec: before?.spec,
      workers: { batchesDone: 4, chunksEmbedded: 12 },
    });
  });

  test('of a read are those of one moment: complete means that all were counted', async () => {
    const { ledger, prefix, runId, complete, seal } = await newRun();
    await seal(100);
    const other = new RunLedger({ redis: testRedis(), prefix });
    const work = Promise.all(Array.from({ length: 100 }, (_, index) => complete(index, other)));
    for (;;) {
      const progress = await ledger.progress(runId);
      expect(progress?.workers.chunksEmbedded).toBe(3 * (progress?.workers.batchesDone ?? NaN));
      if (progress !== null && isComplete(progress)) break;
    }
    await work;
  });

  test('take no batch that a sealed run does not have', async () => {
    const { ledger, runId, complete, seal } = await newRun();
    await seal(2);
    await complete(0);
    await expect(complete(2)).rejects.toMatchObject({ code: 'JOB_INVALID' });
    const progress = await ledger.progress(runId);
    expect(progress?.workers.batchesDone).toBe(1);
    expect(progress !== null && isComplete(progress)).toBe(false);
  });
});

describe('a run that has ended', () => {
  test('still counts a batch that ends late, takes nothing else, and leaves no key without an end', async () => {
    const { redis, prefix, ledger, runId, complete, seal } = await newRun();
    await seal(2);
    await complete(1);
    await ledger.end(runId, 'interrupted', 'stopped by SIGINT');
    expect(await complete(0)).toBe('counted');
    const superseded = { code: 'RUN_SUPERSEDED' };
    await expect(ledger.setStage(runId, 'sweeping')).rejects.toMatchObject(superseded);
    await expect(seal(1)).rejects.toMatchObject(superseded);
    await expect(ledger.recordProducer(runId, NO_PRODUCER_COUNTS)).rejects.toMatchObject(superseded);
    await expect(ledger.addDeadLetters(runId, [letter('a')])).rejects.toMatchObject(superseded);
    expect(await ledger.progress(runId)).toMatchObject({
      state: 'interrupted',
      stage: 'ended',
      workers: { batchesDone: 2 },
      deadLetters: 1,
    });
    const keys = await redis.keys(`${prefix}:run:*`);
    expect(keys).toHaveLength(4);
    for (const key of keys) expect(await redis.ttl(key)).toBeGreaterThan(0);
    for (const key of [runKeys(prefix).run(runId), runKeys(prefix).deadLetters(runId)])
      expect(await redis.ttl(key)).toBeGreaterThan(THIRTY_DAYS);
  });

  test('keeps its counts when the details are gone, and takes no late batch any more then', async () => {
    const { redis, prefix, ledger, runId, complete, seal } = await newRun();
    await seal(3);
    await complete(0);
    await complete(1);
    await ledger.end(runId, 'failed', null);
    const keys = runKeys(prefix);
    expect(await redis.exists(keys.rate(runId))).toBe(0);
    for (const key of [keys.done(runId), keys.byWorker(runId)])
      expect(await redis.ttl(key)).toBeLessThanOrEqual(24 * 3600);
    await redis.del(keys.done(runId), keys.byWorker(runId));
    expect(await complete(1)).toBe('already-counted');
    expect(await complete(2)).toBe('already-counted');
    expect(await ledger.progress(runId)).toMatchObject({
      workers: { batchesDone: 2, chunksEmbedded: 6 },
      deadLetters: 2,
    });
  });
});

test(
  'dead letters beyond those kept are counted, also when ioredis sends a slice twice',
  { timeout: 60_000 },
  async () => {
    const { redis, ledger, runId } = await newRun();
    await ledger.addDeadLetters(
      runId,
      Array.from({ length: 10_200 }, (_, index) => letter(`k${index}`)),
    );
    loseAnswers(redis);
    await ledger.addDeadLetters(
      runId,
      Array.from({ length: 300 }, (_, index) => letter(`more${index}`)),
    );
    expect((await ledger.progress(runId))?.deadLetters).toBe(10_500);
    expect(await ledger.deadLetters(runId)).toHaveLength(10_000);
  },
);

describe('trouble with Redis', () => {
  test('a full one is waited for; the write is not lost', async () => {
    const server = await privateRedis();
    const redis = server.connect();
    const { ledger, runId, complete, seal } = await newRun(redis);
    await seal(1);
    await redis.config('SET', 'maxmemory', 1);
    const counting = complete(0);
    await until('it was refused', async () => (await redis.info('errorstats')).includes('errorstat_OOM'));
    expect((await ledger.progress(runId))?.workers.batchesDone).toBe(0);
    await redis.config('SET', 'maxmemory', 0);
    expect(await counting).toBe('counted');
  });

  test('one that stays away is told in plain words, as something that may pass', async () => {
    const redis = testRedis('probe');
    const { ledger, runId, complete } = await newRun(redis);
    redis.disconnect();
    const failure = { code: 'REDIS_UNREACHABLE', retryable: true };
    await expect(ledger.progress(runId)).rejects.toMatchObject(failure);
    await expect(complete(0)).rejects.toMatchObject(failure);
    await expect(complete(0)).rejects.toThrow(/Writing the record of run .* Check that Redis runs/);
  });

  test('a user with the least rights is enough', async () => {
    const server = await privateRedis();
    const prefix = testPrefix();
    const rights =
      '+@read +@write +@blocking +@connection +@transaction -@dangerous +evalsha +eval +script|load +info +time';
    await server
      .connect()
      .call(
        'ACL',
        'SETUSER',
        'emb',
        'on',
        '>pw',
        'resetkeys',
        `~${prefix}*`,
        'resetchannels',
        '-@all',
        ...rights.split(' '),
      );
    const redis = server.connect();
    await redis.auth('emb', 'pw');
    const { ledger, runId, complete, seal } = await newRun(redis, prefix);
    await ledger.addDeadLetters(runId, [letter('a')]);
    await seal(1);
    await complete(0);
    await ledger.end(runId, 'done', null);
    expect(await ledger.list()).toMatchObject([
      { state: 'done', workers: { batchesDone: 1 }, deadLetters: 2 },
    ]);
    await expect(redis.config('GET', '*')).rejects.toThrow(/NOPERM/);
  });
});

import { createBatchQueue, encodeJob, type EmbedJob } from '@embedline/core';
import { Worker } from 'bullmq';
import { describe, expect, onTestFinished, test } from 'vitest';
import { chunkOf } from '../support/points.ts';
import { privateRedis } from '../support/private-redis.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const jobsOf = (runId: string, count: number, textLength = 10): EmbedJob[] =>
  Array.from({ length: count }, (_, index) =>
    encodeJob(runId, index, [chunkOf(`d${index}`, 'x'.repeat(textLength))]),
  );

/** A worker of the queue with a processor of the test's. */
function startWorker(prefix: string, process: (data: EmbedJob) => Promise<void>): Worker {
  const worker = new Worker('embed-run-1', (job) => process(job.data as EmbedJob), {
    connection: testRedis('worker'),
    prefix,
  });
  worker.on('error', () => undefined);
  onTestFinished(() => worker.close());
  return worker;
}

describe('a full Redis', () => {
  test('is waited out and told of; every job is there once', { timeout: 60_000 }, async () => {
    const server = await privateRedis();
    const [redis, prefix] = [server.connect(), testPrefix()];
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
    await redis.config('SET', 'maxmemory', used + 2 * 1024 * 1024);
    const told: (string | null)[] = [];
    const queue = createBatchQueue({ connection: redis, prefix, onRefused: (reason) => told.push(reason) });
    const adding = queue.enqueue(jobsOf('run-1', 500, 20_000));
    await until('it is refused', () => told.length > 0);
    const before = await redis.llen(`${prefix}:embed-run-1:wait`);
    expect(before).toBeLessThan(500);
    // The slice that was refused half-way is what makes this test one of addBulk.
    expect(before % 200).not.toBe(0);
    await redis.config('SET', 'maxmemory', 0);
    await adding;
    expect(told[0]).toContain('maxmemory');
    expect(told.at(-1)).toBeNull();
    expect(await redis.llen(`${prefix}:embed-run-1:wait`)).toBe(500);
    expect(new Set(await redis.lrange(`${prefix}:embed-run-1:wait`, 0, -1)).size).toBe(500);
    await queue.close();
  });

  test('is given up on when one is told to stop', async () => {
    const server = await privateRedis();
    const redis = server.connect();
    const queue = createBatchQueue({
      connection: redis,
      prefix: testPrefix(),
      onRefused: () => stop.abort(new Error('stopped')),
    });
    const stop = new AbortController();
    await queue.unattended('run-1', [0]);
    await redis.config('SET', 'maxmemory', 1);
    await expect(queue.enqueue(jobsOf('run-1', 1), { signal: stop.signal })).rejects.toThrow();
    expect(stop.signal.aborted).toBe(true);
    await queue.close();
  });
});

test('a Redis that refuses for good says so at once, and what to do', async () => {
  const [redis, prefix] = [testRedis(), testPrefix()];
  await redis.set(`${prefix}:embed-run-1:wait`, 'not a list');
  const queue = createBatchQueue({ connection: redis, prefix });
  await expect(queue.enqueue(jobsOf('run-1', 1))).rejects.toMatchObject({
    code: 'REDIS_UNREACHABLE',
    message: expect.stringContaining('WRONGTYPE') as string,
  });
  await queue.close();
});

test('several may drop the queue of a run at the same time, as its producer and `runs cancel` do', async () => {
  const [redis, prefix] = [testRedis(), testPrefix()];
  const queues = [1, 2, 3, 4].map(() => createBatchQueue({ connection: testRedis(), prefix }));
  for (let round = 0; round < 15; round += 1) {
    await queues[0]?.enqueue(jobsOf('run-1', 3));
    await Promise.all(queues.map((queue) => queue.removeRun('run-1')));
    expect(await redis.keys(`${prefix}:embed-run-1:*`)).toEqual([]);
  }
  await Promise.all(queues.map((queue) => queue.close()));
});

describe('batches of a run', () => {
  test('are told apart by what has become of them', async () => {
    const [redis, prefix] = [testRedis(), testPrefix()];
    const queue = createBatchQueue({ connection: redis, prefix });
    const hold = Promise.withResolvers<undefined>();
    const settled: string[] = [];
    const worker = startWorker(prefix, async ({ batchIndex }) => {
      if (batchIndex === 0) return;
      await hold.promise;
    });
    worker.on('completed', ({ id }) => settled.push(id ?? ''));
    await queue.enqueue(jobsOf('run-1', 3));
    await until('one is done and one is under way', async () => {
      return settled.length === 1 && (await redis.llen(`${prefix}:embed-run-1:active`)) === 1;
    });
    // Done and not kept, under way, waiting, never there.
    expect((await queue.unattended('run-1', [0, 1, 2, 3])).missing).toEqual([0, 3]);
    expect(await redis.keys(`${prefix}:embed-run-1:b-run-1-*`)).toHaveLength(3);
    await queue.remove('run-1', [1, 2]);
    expect((await queue.unattended('run-1', [1, 2])).missing).toEqual([2]);
    hold.resolve(undefined);
    await until('it is done', () => settled.length === 2);
    await queue.close();
  });

  test('that failed are found among others, with their data', async () => {
    const [redis, prefix] = [testRedis(), testPrefix()];
    const queue = createBatchQueue({ connection: redis, prefix });
    await queue.enqueue(jobsOf('run-1', 2));
    // As BullMQ leaves them when it gives up, without waiting for five attempts.
    for (const id of await redis.lrange(`${prefix}:embed-run-1:wait`, 0, -1)) {
      await redis.lrem(`${prefix}:embed-run-1:wait`, 1, id);
      await redis.zadd(`${prefix}:embed-run-1:failed`, Date.now(), id);
      await redis.hset(`${prefix}:embed-run-1:${id}`, { failedReason: `no good: ${id}`, atm: 5 });
    }
    await redis.zadd(
      `${prefix}:embed-run-1:failed`,
      ...Array.from({ length: 2500 }, (_, i) => [Date.now() + i, `b-old-${i}`]).flat(),
    );
    const { failed, missing } = await queue.unattended('run-1', [0, 1]);
    expect(missing).toEqual([]);
    expect(new Set(failed.map(({ batchIndex }) => batchIndex))).toEqual(new Set([0, 1]));
    expect(failed[0]).toMatchObject({
      reason: expect.stringContaining('no good: b-run-1-') as string,
      attempts: 5,
    });
    expect(failed[0]?.data).toMatchObject({ runId: 'run-1' });
    await queue.close();
  });
});

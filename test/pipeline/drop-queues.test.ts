import { createBatchQueue, encodeJob, type RedisConnection } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { chunkOf } from '../support/points.ts';
import { testPrefix, testRedis } from '../support/redis.ts';

/** A queue of 2,500 batches: more than are removed in one step. */
async function filledQueue(prefix: string, runId: string): Promise<RedisConnection> {
  const redis = testRedis();
  const queue = createBatchQueue({ connection: redis, prefix });
  const jobs = Array.from({ length: 2_500 }, (_, index) =>
    encodeJob(runId, index, [chunkOf(`d${index}`, 'text')]),
  );
  await queue.enqueue(jobs);
  await queue.close();
  return redis;
}

describe('the queue of a run that has ended', () => {
  test.each([
    ['two programs', 2],
    ['a fleet', 8],
  ])('is dropped by %s at the same time, and nothing of it is left', async (_, count) => {
    const [prefix, runId] = [testPrefix(), 'run-1'];
    const redis = await filledQueue(prefix, runId);
    const queues = Array.from({ length: count }, () => createBatchQueue({ connection: testRedis(), prefix }));
    await Promise.all(queues.map((queue) => queue.removeRun(runId)));
    expect(await redis.keys(`${prefix}:embed-*`)).toEqual([]);
  });

  test('is dropped once more when it is gone already', async () => {
    const [prefix, runId] = [testPrefix(), 'run-1'];
    const redis = await filledQueue(prefix, runId);
    const queue = createBatchQueue({ connection: redis, prefix });
    await queue.removeRun(runId);
    await queue.removeRun(runId);
    expect(await redis.keys(`${prefix}:embed-*`)).toEqual([]);
  });
});

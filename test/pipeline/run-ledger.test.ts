import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  acquireRunLock,
  announceWorker,
  connectedWorkers,
  createBatchQueue,
  encodeJob,
  isComplete,
  NO_PRODUCER_COUNTS,
  nextRunSequence,
  RunLedger,
  type CompletedBatch,
  type DeadLetter,
} from '@embedline/core';
import { chunkOf, MANIFEST } from '../support/points.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

async function newRun(batchesTotal = 0) {
  const [redis, prefix] = [testRedis(), testPrefix()];
  const ledger = new RunLedger({ redis, prefix });
  const runId = `run-${randomUUID().slice(0, 8)}`;
  const generation = { collection: 'docs', name: 'docs--g1-00000000', identity: 'x' };
  await ledger.create({
    runId,
    pipeline: 'docs',
    collection: 'docs',
    storeKind: 'sqlite',
    generation,
    model: MANIFEST.model,
    runSequence: 1,
  });
  if (batchesTotal > 0) await ledger.seal(runId, { ...NO_PRODUCER_COUNTS, batchesTotal });
  return { redis, prefix, ledger, runId };
}

const letter = (key: string): DeadLetter => ({
  key,
  stage: 'embed',
  code: 'EMBEDDING_FAILED',
  reason: 'x',
  documentId: 'd',
  chunkIndex: 0,
  origin: null,
  excerpt: null,
  attempts: 1,
});
const batch = (runId: string, batchIndex: number, changes: Partial<CompletedBatch> = {}): CompletedBatch => ({
  runId,
  batchIndex,
  workerId: 'w1',
  result: { chunksEmbedded: batchIndex + 1, tokensEmbedded: 10, chunksTruncated: 2, bytes: 100 },
  deadLetters: [],
  ...changes,
});

describe('the ledger', () => {
  test('counts each batch once, however often and by whomever it is delivered', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom('w1', 'w2')), {
          minLength: 1,
          maxLength: 40,
        }),
        async (deliveries) => {
          const { ledger, runId } = await newRun(10);
          const answers = await Promise.all(
            deliveries.map(([index, workerId]) =>
              ledger.completeBatch(batch(runId, index, { workerId, deadLetters: [letter(`k${index}`)] })),
            ),
          );
          const distinct = [...new Set(deliveries.map(([index]) => index))];
          const progress = await ledger.progress(runId);
          expect(answers.filter((answer) => answer === 'counted')).toHaveLength(distinct.length);
          expect(progress?.workers).toEqual({
            batchesDone: distinct.length,
            chunksEmbedded: distinct.reduce((sum, index) => sum + index + 1, 0),
            tokensEmbedded: 10 * distinct.length,
            chunksTruncated: 2 * distinct.length,
            chunksGivenUp: distinct.length,
            bytesDone: 100 * distinct.length,
          });
          expect(progress?.deadLetters).toBe(distinct.length);
          expect(progress?.byWorker.reduce((sum, { batches }) => sum + batches, 0)).toBe(distinct.length);
          expect(await ledger.pendingBatches(runId, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])).toEqual(
            Array.from({ length: 10 }, (_, index) => index).filter((index) => !distinct.includes(index)),
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  test('a run is complete when it is sealed and every batch is done, never before', async () => {
    const { ledger, runId } = await newRun();
    const complete = async () => {
      const progress = await ledger.progress(runId);
      return progress !== null && isComplete(progress);
    };
    expect(await complete()).toBe(false);
    await ledger.completeBatch(batch(runId, 0));
    expect(await complete()).toBe(false);
    await ledger.seal(runId, { ...NO_PRODUCER_COUNTS, batchesTotal: 2 });
    expect(await complete()).toBe(false);
    await ledger.completeBatch(batch(runId, 1));
    expect(await complete()).toBe(true);
  });

  test('a lost run is never brought back as a fragment', async () => {
    const { redis, prefix, ledger, runId } = await newRun(2);
    await redis.del(...(await redis.keys(`${prefix}*`)));
    expect(await ledger.progress(runId)).toBeNull();
    expect(await ledger.spec(runId)).toBeNull();
    const lost = { code: 'RUN_LOST' };
    await expect(ledger.completeBatch(batch(runId, 0))).rejects.toMatchObject(lost);
    await expect(ledger.recordProducer(runId, NO_PRODUCER_COUNTS)).rejects.toMatchObject(lost);
    await expect(ledger.addDeadLetters(runId, [letter('a')])).rejects.toMatchObject(lost);
    await expect(ledger.end(runId, 'done', null)).rejects.toMatchObject(lost);
    expect(await redis.keys(`${prefix}*`)).toEqual([]);
  });

  test('the first end wins; dead letters count once; runs are listed newest first', async () => {
    const { ledger, runId } = await newRun(1);
    await ledger.addDeadLetters(runId, [letter('a'), letter('b')]);
    await ledger.addDeadLetters(runId, [letter('b')]);
    await ledger.end(runId, 'interrupted', 'stopped by SIGINT');
    await ledger.end(runId, 'done', null);
    expect(await ledger.progress(runId)).toMatchObject({
      state: 'interrupted',
      message: 'stopped by SIGINT',
      deadLetters: 2,
    });
    expect((await ledger.deadLetters(runId)).map(({ key }) => key).sort()).toEqual(['a', 'b']);
    expect((await ledger.list()).map(({ spec }) => spec.runId)).toEqual([runId]);
  });
});

describe('the lock', () => {
  const owner = (pid: number) => ({ host: 'here', pid, runId: `run-${pid}` });

  test('is one owner’s at a time, who is named; released, it is free', async () => {
    const [redis, prefix] = [testRedis(), testPrefix()];
    const options = { redis, prefix, scope: 'pipeline:docs', isAlive: () => true };
    const lock = await acquireRunLock({ ...options, owner: owner(1) });
    await expect(acquireRunLock({ ...options, owner: owner(2) })).rejects.toMatchObject({
      code: 'RUN_LOCKED',
    });
    await expect(acquireRunLock({ ...options, owner: owner(2) })).rejects.toThrow(
      /pipeline docs.*run-1 \(process 1 on here/,
    );
    const waiting = acquireRunLock({ ...options, owner: owner(3), wait: true });
    await lock.release();
    await (await waiting).release();
    await (await acquireRunLock({ ...options, owner: owner(4) })).release();
  });

  test('of a dead process on this host is taken over at once; of one on another host it is not', async () => {
    const [redis, prefix] = [testRedis(), testPrefix()];
    const options = { redis, prefix, scope: 'pipeline:docs' };
    const dead = await acquireRunLock({
      ...options,
      owner: { host: 'here', pid: 2 ** 22 + 1, runId: 'dead' },
    });
    const next = await acquireRunLock({ ...options, owner: owner(process.pid) });
    await dead.release();
    await expect(acquireRunLock({ ...options, owner: { ...owner(5), host: 'there' } })).rejects.toMatchObject(
      { code: 'RUN_LOCKED' },
    );
    await next.release();
  });

  test('that was lost is told through its signal, and releasing it takes nothing from the new owner', async () => {
    const [redis, prefix] = [testRedis(), testPrefix()];
    const lock = await acquireRunLock({ redis, prefix, scope: 's:x', owner: owner(1), ttlMs: 150 });
    await redis.set(`${prefix}:lock:s:x`, 'somebody else');
    await until('the loss is told', () => lock.signal.aborted);
    expect(lock.signal.reason).toMatchObject({ code: 'RUN_SUPERSEDED' });
    await lock.release();
    expect(await redis.get(`${prefix}:lock:s:x`)).toBe('somebody else');
  });

  test('sequences rise, also when Redis was emptied in between', async () => {
    const [redis, prefix] = [testRedis(), testPrefix()];
    const [a, b] = [await nextRunSequence(redis, prefix), await nextRunSequence(redis, prefix)];
    await redis.del(`${prefix}:sequence`);
    await until('the clock has moved on', () => Date.now() > b);
    const c = await nextRunSequence(redis, prefix);
    expect(a).toBeLessThan(b);
    expect(b).toBeLessThan(c);
    expect(Number.isSafeInteger(c)).toBe(true);
  });
});

test('workers are known while they live', async () => {
  const [redis, prefix] = [testRedis(), testPrefix()];
  const presence = await announceWorker({ redis, prefix, workerId: 'w1', concurrency: 2 });
  presence.setWaiting('Qdrant is down');
  await until(
    'it says what it waits for',
    async () => (await connectedWorkers(redis, prefix))[0]?.waitingFor === 'Qdrant is down',
  );
  await presence.close();
  expect(await connectedWorkers(redis, prefix)).toEqual([]);
});

test('the queue holds each job once, finds what is missing, and forgets a run', async () => {
  const [redis, prefix] = [testRedis(), testPrefix()];
  const queue = createBatchQueue({ connection: redis, prefix });
  const jobs = Array.from({ length: 450 }, (_, index) =>
    encodeJob('run-1', index, [chunkOf('a', `text ${index}`)]),
  );
  await queue.enqueue(jobs);
  await queue.enqueue(jobs.slice(100, 200));
  await queue.enqueue([encodeJob('run-2', 0, [chunkOf('b', 'other')])]);
  expect(await redis.llen(`${prefix}:embed-run-1:wait`)).toBe(450);
  expect(await queue.unattended('run-1', [0, 449, 450, 1000])).toEqual({ missing: [450, 1000], failed: [] });
  await queue.remove('run-1', [...jobs.keys(), 1000]);
  expect(await redis.exists(`${prefix}:embed-run-1:wait`)).toBe(0);
  expect(await queue.unattended('run-2', [0])).toEqual({ missing: [], failed: [] });
  await queue.enqueue(jobs.slice(0, 3));
  await queue.removeRun('run-1');
  await queue.removeRun('run-1');
  expect(await redis.keys(`${prefix}:embed-run-1:*`)).toEqual([]);
  expect(await queue.unattended('run-2', [0])).toEqual({ missing: [], failed: [] });
  await queue.close();
});

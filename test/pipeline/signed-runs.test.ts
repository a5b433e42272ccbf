import { randomBytes } from 'node:crypto';
import { Queue } from 'bullmq';
import {
  encodeJob,
  jobId,
  runKeys,
  Schedules,
  sealJob,
  SigningKeys,
  startIngestJobs,
  type IngestRequest,
} from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { batchFleet } from '../support/batch-fleet.ts';
import { chunkOf } from '../support/points.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const KEYS = new SigningKeys([randomBytes(32)], { encryptsTexts: true });
const OTHER = new SigningKeys([randomBytes(32)], { encryptsTexts: false });

describe('14.3 runs and jobs that are signed', () => {
  test('are done by a worker with the key; their texts do not stand in Redis', async () => {
    const { enqueue, start, run, redis, queueKeyOf } = batchFleet(KEYS);
    await enqueue('run-1', 3);
    expect(await redis.hget(queueKeyOf('run-1', 0), 'data')).not.toContain('Text 0.');
    start({}, { signingKeys: KEYS });
    await until('all is done', async () => (await run('run-1')).workers.batchesDone === 3);
    expect(await run('run-1')).toMatchObject({
      deadLetters: 0,
      jobsRefused: 0,
      workers: { chunksEmbedded: 6 },
    });
  });

  test('are left to others by a worker without the key, or with another one, at no cost', async () => {
    const { enqueue, start, run, attempts } = batchFleet(KEYS);
    await enqueue('run-1', 2);
    for (const signingKeys of [null, OTHER]) {
      const worker = start({}, { signingKeys });
      await until('it refuses', () => worker.refusals().length > 0);
      expect(worker.refusals()).toMatchObject([{ code: 'SIGNATURE_REFUSED' }]);
      await worker.close(0);
    }
    expect(await attempts('run-1')).toEqual([]);
    expect(await run('run-1')).toMatchObject({ deadLetters: 0, workers: { batchesDone: 0 } });
  });

  test('lose nothing by forged jobs: these are dropped, counted, and take no place', async () => {
    const { enqueue, start, run, redis, prefix, queueKeyOf } = batchFleet(KEYS);
    await enqueue('run-1', 3);
    const theirs = encodeJob('run-1', 1, [chunkOf('z', 'Theirs.', { pipeline: 'run-1' })]);
    const own = (await redis.hget(queueKeyOf('run-1', 1), 'data')) ?? '';
    const forgeries = [
      theirs,
      sealJob(theirs, OTHER),
      { ...JSON.parse(own), later: 1 },
      sealJob({ ...theirs, batchIndex: 2 }, KEYS),
    ];
    const stored: string[] = [];
    const upsert = (_: unknown, points: readonly { readonly chunk: { readonly text: string } }[]) =>
      void stored.push(...points.map(({ chunk }) => chunk.text));
    start({ upsert }, { signingKeys: KEYS });
    await until('the good ones are done', async () => (await run('run-1')).workers.batchesDone === 3);
    for (const data of forgeries) {
      const queue = new Queue(runKeys(prefix).queueName('run-1'), { connection: redis, prefix });
      await queue.add('embed', data, { jobId: jobId('run-1', 1) });
      await queue.close();
      await until('it is gone', async () => (await redis.exists(queueKeyOf('run-1', 1))) === 0);
    }
    expect(stored).toHaveLength(6);
    expect(stored).not.toContain('Theirs.');
    expect(await run('run-1')).toMatchObject({ deadLetters: 0, jobsRefused: 4 });
  });

  test('keep their dead letters encrypted, and to be tried again by those with the key alone', async () => {
    const { enqueue, start, run, redis, prefix, ledger } = batchFleet(KEYS);
    await enqueue('run-1', 1);
    start({ fails: () => true }, { signingKeys: KEYS });
    await until('they are given up on', async () => (await run('run-1')).deadLetters === 2);
    const keys = runKeys(prefix);
    const inRedis = JSON.stringify([
      await redis.hgetall(keys.deadLetters('run-1')),
      await redis.hgetall(keys.retryJobs('run-1')),
    ]);
    expect(inRedis).not.toContain('Text 0.');
    expect((await ledger.deadLetters('run-1')).map(({ excerpt }) => excerpt)).toEqual(['Text 0.', 'Text 0.']);
    expect((await ledger.retryJobs('run-1')).size).toBe(2);
    expect((await batchFleet(null, prefix).ledger.retryJobs('run-1')).size).toBe(0);
  });
});

describe('14.9 schedules and requests', () => {
  async function server(signingKeys: SigningKeys | null) {
    const [redis, prefix] = [testRedis(), testPrefix()];
    const queue = new Queue(runKeys(prefix).ingestQueueName, { connection: redis, prefix });
    onTestFinished(() => queue.close());
    const schedules = new Schedules({ connection: redis, prefix, signingKeys });
    onTestFinished(() => schedules.close());
    const asked: IngestRequest[] = [];
    const told: string[] = [];
    const jobs = startIngestJobs({
      redis,
      connection: testRedis('worker'),
      prefix,
      signingKeys,
      lookEveryMs: 50,
      serves: (pipeline) => pipeline === 'docs',
      execute: (request) => {
        asked.push(request);
        return Promise.resolve({ outcome: 'done', runId: null, message: null });
      },
      onError: (message) => told.push(message),
    });
    onTestFinished(() => jobs.close());
    return { redis, prefix, queue, schedules, asked, told };
  }
  const request = { version: 1, pipeline: 'docs', kind: 'detached', overlap: 'skip', options: {} };
  const HIDDEN = ['\u200bdocs', 'docs\u202e', 'every-second', 'x'.repeat(300)];

  test.each([
    ['with a key', KEYS],
    ['without one', null],
  ])('forged schedulers of BullMQ are never run, and are listed, %s', async (_, signingKeys) => {
    const { queue, schedules, asked, told } = await server(signingKeys);
    for (const name of HIDDEN)
      await queue.upsertJobScheduler(
        name,
        { every: 100 },
        { name: 'ingest', data: { ...request, kind: 'scheduled' } },
      );
    await until(
      'they are refused',
      () => told.filter((text) => text.includes('Refused the schedule')).length >= HIDDEN.length,
    );
    await until('their jobs are dropped', () => told.some((text) => text.includes('no schedule asks for')));
    expect(await schedules.refused()).toEqual([...HIDDEN].sort());
    expect(await schedules.list()).toEqual([]);
    expect(asked).toEqual([]);
    expect(told.join()).not.toMatch(/[\u200b\u202e]/);
  });

  test('a scheduled ingest that no schedule asks for now is dropped', async () => {
    const { queue, schedules, asked, told } = await server(null);
    await schedules.set({ pipeline: 'docs', cron: '0 3 1 1 *', timeZone: 'UTC', overlap: 'skip' });
    const scheduled = { ...request, kind: 'scheduled', options: { rebuild: true, maxDelete: 100 } };
    for (const id of ['scheduled-docs-1000', `scheduled-docs-${Date.now() - 1}`, 'scheduled-docs-x', 'any'])
      await queue.add('ingest', scheduled, { jobId: id });
    await until('all are dropped', () => told.length >= 4);
    expect(asked).toEqual([]);
  });

  test('with a key, only what is signed is run, and once', async () => {
    const { queue, schedules, asked, told, redis, prefix } = await server(KEYS);
    await queue.add('ingest', request, { jobId: 'detached-forged' });
    await until('it is refused', () => told.length > 0);
    const id = await schedules.request('docs', { maxDelete: 5 });
    await until('the good one is done', () => asked.length === 1);
    const signed = (await queue.getJob(id))?.data as object;
    await queue.add('ingest', signed, { jobId: 'detached-copy' });
    await queue.add('ingest', { ...signed, options: { rebuild: true } }, { jobId: 'detached-changed' });
    await until('the copies are refused', () => told.length >= 3);
    expect(asked).toMatchObject([{ pipeline: 'docs', options: { maxDelete: 5 } }]);
    await schedules.set({ pipeline: 'docs', cron: '0 3 * * *', timeZone: 'UTC', overlap: 'skip' });
    const key = runKeys(prefix).schedules;
    const record = (await redis.hget(key, 'docs')) ?? '';
    await redis.hset(key, 'other', record);
    await redis.hset(key, 'docs', record.replace('0 3 * * *', '* * * * * *'));
    expect(await schedules.list()).toEqual([]);
    expect(await schedules.refused()).toEqual(['docs', 'other']);
  });
});

import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import {
  announceWorker,
  connectedWorkers,
  encodeJob,
  loadConfig,
  RunLedger,
  runKeys,
  Schedules,
  startIngestJobs,
  type IngestRequest,
} from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { OpenRuns } from '../../apps/worker/src/open-runs.ts';
import { flagsOf } from '../../apps/producer/src/serve/ingest-process.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { testBench } from '../support/cli.ts';
import { chunkOf } from '../support/points.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';
import { RUN } from '../support/run-of.ts';

const STEADY = fileURLToPath(new URL('../fixtures/tiny-models/steady', import.meta.url));
/** What somebody may have written where a value of ours is expected. */
const NOT_OURS = ['', 'no json', '[]', 'null', '{"__proto__":{"x":1}}', '"text"', `"${'x'.repeat(300_000)}"`];

/** A Redis with the record of one run, into which anything may be planted. */
async function planted() {
  const [redis, prefix] = [testRedis(), testPrefix()];
  const ledger = new RunLedger({ redis, prefix });
  const create = (runId: string) =>
    ledger.create({
      runId,
      ...RUN,
    });
  return { redis, prefix, ledger, create, keys: runKeys(prefix), spec: await create('good') };
}

describe('what others wrote to Redis', () => {
  test('as a worker is not shown, and does not keep the others from being shown', async () => {
    const { redis, prefix, keys } = await planted();
    const presence = await announceWorker({ redis, prefix, workerId: 'ours', concurrency: 2 });
    for (const [index, text] of [...NOT_OURS, '{"workerId":"x","host":"h","pid":1e999}'].entries()) {
      await redis.set(keys.worker(`bad-${index}`), text);
      await redis.zadd(keys.workers, Date.now(), `bad-${index}`);
    }
    const workers = await connectedWorkers(redis, prefix);
    await presence.close();
    expect(workers.map(({ workerId }) => workerId)).toEqual(['ours']);
  });

  test('as the record of a run is refused by name, and left out of the list; as its state, it is not believed', async () => {
    const { redis, ledger, create, keys, spec } = await planted();
    const specs = [...NOT_OURS, JSON.stringify({ ...spec, generation: null }), JSON.stringify(spec)];
    for (const [index, text] of specs.entries()) {
      await create(`bad-${index}`);
      await redis.hset(keys.run(`bad-${index}`), 'spec', text);
      await expect(ledger.spec(`bad-${index}`)).rejects.toMatchObject({ code: 'RUN_INVALID' });
    }
    await create('odd');
    await redis.hset(keys.run('odd'), 'state', 'hacked');
    expect(await ledger.progress('odd')).toMatchObject({ state: 'unknown' });
    await ledger.end('odd', 'failed', null);
    await redis.hset(keys.run('good'), 'batchesTotal', '1e999', 'chunksTotal', 'NaN', 'waitingFor', 'x');
    expect((await ledger.list()).filter(({ state }) => state === 'running')).toMatchObject([
      { spec: { runId: 'good' }, producer: { batchesTotal: 0, chunksTotal: 0 }, waitingFor: null },
    ]);
  });

  test.each([STEADY, './models', '../models', 'http://127.0.0.1/model', 'a/../../b', 'file:///etc'])(
    'as the model of a run is not followed: %s',
    async (id) => {
      const { redis, ledger, keys, spec } = await planted();
      await redis.hset(keys.run('good'), 'spec', JSON.stringify({ ...spec, model: { ...spec.model, id } }));
      const directory = await temporaryDirectory();
      const store = await openSqliteStore({ directory });
      onTestFinished(() => store.close());
      const asked: unknown[] = [];
      const runs = new OpenRuns({
        ledger,
        store,
        config: loadConfig({ EMBEDLINE_HOME: directory, EMBEDLINE_ALLOW_REMOTE_MODELS: '1' }),
        embedder: {},
        openEmbedder: (model) => {
          asked.push(model);
          return Promise.reject(new Error('asked for a model'));
        },
      });
      onTestFinished(() => runs.close());
      await expect(runs.prove('good', new AbortController().signal)).rejects.toMatchObject({
        code: 'RUN_INVALID',
      });
      expect(asked).toEqual([]);
    },
  );

  test('as a dead letter, or a job to try again, is left out', async () => {
    const { redis, ledger, keys } = await planted();
    const job = encodeJob('good', 0, [chunkOf('a', 'A text.')]);
    const letter = {
      key: 'ours',
      stage: 'embed',
      code: 'EMBEDDING_FAILED',
      reason: 'x',
      documentId: 'a',
      chunkIndex: 0,
      origin: null,
      excerpt: 'A text.',
      attempts: 1,
    };
    await redis.hset(keys.deadLetters('good'), 'ours', JSON.stringify(letter));
    await redis.hset(keys.retryJobs('good'), 'ours', JSON.stringify(job));
    for (const [index, text] of NOT_OURS.entries()) {
      await redis.hset(keys.deadLetters('good'), `bad-${index}`, text);
      await redis.hset(keys.retryJobs('good'), `bad-${index}`, text);
    }
    const stranger = { ...job, runId: '../../other' };
    await redis.hset(keys.retryJobs('good'), 'stranger', JSON.stringify(stranger));
    expect(await ledger.deadLetters('good')).toEqual([letter]);
    expect([...(await ledger.retryJobs('good'))]).toEqual([['ours', job]]);
  });

  test('as a request for an ingest starts nothing but a pipeline by its name, with options that are known', async () => {
    const { redis, prefix, keys } = await planted();
    const queue = new Queue(keys.ingestQueueName, { connection: redis, prefix });
    const asked: IngestRequest[] = [];
    const told: string[] = [];
    const jobs = startIngestJobs({
      redis,
      connection: testRedis('worker'),
      prefix,
      execute: (request) => {
        asked.push(request);
        return Promise.resolve({ outcome: 'done', runId: null, message: null });
      },
      onError: (message) => told.push(message),
    });
    const ours = { version: 1, pipeline: 'docs', kind: 'detached', overlap: 'skip', options: {} };
    const hostile = [
      { ...ours, pipeline: '../../etc/passwd' },
      { ...ours, pipeline: '--config' },
      { ...ours, options: { maxDelete: 1e9 } },
      { ...ours, options: { maxDelete: '100 --config x' } },
      'no object',
    ];
    for (const [index, data] of hostile.entries()) await queue.add('ingest', data, { jobId: `bad-${index}` });
    // What a newer version may have added is carried along, and means nothing here.
    const unknown = { sources: ['/etc/passwd'], model: 'http://127.0.0.1/model' };
    await queue.add('ingest', { ...ours, ...unknown, options: unknown }, { jobId: 'ours' });
    await until('the last was done', () => asked.length > 0);
    await jobs.close();
    expect(asked).toMatchObject([ours]);
    expect(asked.map(flagsOf)).toEqual([[]]);
    expect(told).toHaveLength(hostile.length + 1);
    expect(told.at(-1)).toContain('options of a newer version');
    expect(told.join()).not.toMatch(/passwd|127\.0\.0\.1/);
    await queue.close();
  });

  test('as a schedule, or as its last result, is not shown', async () => {
    const { redis, prefix, keys } = await planted();
    const schedules = new Schedules({ connection: redis, prefix });
    const schedule = { cron: '0 3 * * *', timeZone: 'UTC', overlap: 'skip' as const };
    for (const pipeline of ['docs', 'bad-cron', 'bad-zone', 'bad-data'])
      await schedules.set({ pipeline, ...schedule });
    const forge = async (pipeline: string, change: object) => {
      const record = JSON.parse((await redis.hget(keys.schedules, pipeline)) ?? '') as object;
      await redis.hset(keys.schedules, pipeline, JSON.stringify({ ...record, ...change }));
    };
    await forge('bad-cron', { cron: '99 99 * * *' });
    await forge('bad-zone', { timeZone: '../../etc' });
    await forge('bad-data', { sinceMs: -1 });
    await redis.hset(keys.schedules, '../../etc', (await redis.hget(keys.schedules, 'docs')) ?? '');
    await redis.hset(keys.servers, 'forged', '{"pipelines":"docs"}');
    await redis.hset(keys.ingestResults, 'docs', 'no json');
    const listed = await schedules.list();
    await schedules.close();
    expect(listed).toMatchObject([{ pipeline: 'docs', lastResult: null }]);
  });

  test('does not keep status, failed and schedule from working', async () => {
    const bench = await testBench();
    const redis = testRedis();
    const keys = runKeys(bench.prefix);
    await redis.zadd(keys.runs, 1, 'planted', 2, '../../etc');
    await redis.hset(keys.run('planted'), 'spec', '{"runId":"planted"}');
    await redis.set(keys.worker('planted'), '\u001b[2Jno json');
    await redis.zadd(keys.workers, Date.now(), 'planted');
    expect(await bench.run(['status'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('No runs'),
    });
    expect(await bench.run(['status', 'planted'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/not readable/),
    });
    expect(await bench.run(['failed', 'list'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no runs yet/),
    });
    expect(await bench.run(['schedule', 'list'])).toMatchObject({ code: 0 });
  });
});

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  announceServer,
  keepSchedules,
  loadConfig,
  Schedules,
  startIngestJobs,
  type Execution,
  type IngestRequest,
} from '@embedline/core';
import { KnownSchedules } from '../../apps/producer/src/serve/known-schedules.ts';
import { ScheduleStore } from '../../packages/core/src/schedule/schedule-store.ts';
import { listServers } from '../../packages/core/src/schedule/server-registry.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';

const SERVER = { id: 'here', host: 'here', path: '/embedline.config.ts', pipelines: ['docs'] };
const DAILY = { pipeline: 'docs', cron: '0 3 * * *', timeZone: 'UTC', overlap: 'skip' } as const;
const RECORD = {
  version: 1,
  cron: '0 3 * * *',
  timeZone: 'UTC',
  overlap: 'skip',
  source: { kind: 'file', host: SERVER.host, path: SERVER.path },
  sinceMs: 1_700_000_000_000,
  owedMs: null,
};

function bench() {
  const [prefix, redis] = [testPrefix(), testRedis()];
  const schedules = new Schedules({ connection: redis, prefix });
  const queue = new Queue('ingest', { connection: redis, prefix });
  onTestFinished(async () => {
    await schedules.close();
    await queue.close();
  });
  const executed: IngestRequest[] = [];
  const errors: string[] = [];
  const serve = () => {
    const jobs = startIngestJobs({
      redis,
      connection: testRedis('worker'),
      prefix,
      execute: async (request): Promise<Execution> => {
        executed.push(request);
        return { outcome: 'done', runId: 'run-1', message: null };
      },
      lookEveryMs: 50,
      onError: (message) => errors.push(message),
    });
    onTestFinished(() => jobs.close());
    return jobs;
  };
  const keep = async () => {
    const said: string[] = [];
    const store = new ScheduleStore(redis, prefix);
    const onChange = (message: string) => said.push(message);
    await keepSchedules({
      redis,
      prefix,
      server: SERVER,
      wanted: [DAILY],
      known: await store.read(),
      onChange,
    });
    return said;
  };
  return { prefix, redis, schedules, queue, executed, errors, serve, keep };
}

describe('a request for an ingest', () => {
  test('with fields and options that a newer program added is done, without them', async () => {
    const { queue, executed, errors, serve } = bench();
    const options = { maxDelete: 30, later: true };
    const data = {
      version: 1,
      pipeline: 'docs',
      kind: 'detached',
      overlap: 'skip',
      options,
      later: { deep: [1] },
    };
    await queue.add('ingest', data);
    serve();
    await until('it has run', () => executed.length > 0);
    expect(executed[0]).toMatchObject({ pipeline: 'docs', options: { maxDelete: 30 } });
    expect(errors).toEqual([expect.stringContaining('with options of a newer version')]);
  });

  test.each([
    ['of the same shape', { version: 2, pipeline: 'docs', kind: 'detached', overlap: 'skip', options: {} }],
    ['of another shape', { version: 3, pipelines: [{ name: 'docs' }] }],
  ])('of a newer version, %s, is left to a server of that version, and that is said', async (_, data) => {
    const { queue, executed, errors, serve } = bench();
    const { id = '' } = await queue.add('ingest', data, { jobId: 'detached-newer' });
    const jobs = serve();
    await until('it was refused', () => errors.length > 0);
    await until('it waits', async () => (await queue.getJobState(id)) === 'delayed');
    await jobs.close();
    expect(errors[0]).toMatch(/newer version of embedline.*Update embedline on this machine/);
    expect(executed).toEqual([]);
    const job = await queue.getJob(id);
    expect([job?.data, job?.attemptsMade, job?.failedReason]).toEqual([data, 0, undefined]);
  });
});

describe('a stored schedule', () => {
  test('with fields that a newer program added is listed and kept, fields and all', async () => {
    const { redis, prefix, schedules, keep } = bench();
    const text = JSON.stringify({ ...RECORD, later: 1, source: { ...RECORD.source, later: 2 } });
    await redis.hset(`${prefix}:schedules`, 'docs', text);
    expect(await keep()).toEqual([]);
    expect(await redis.hget(`${prefix}:schedules`, 'docs')).toBe(text);
    expect(await schedules.list()).toMatchObject([{ pipeline: 'docs', cron: RECORD.cron }]);
    expect(await schedules.newer()).toEqual([]);
  });

  test.each([
    ['of the same shape', { ...RECORD, version: 2 }],
    ['of another shape', { version: 9, every: 'day' }],
  ])('of a newer version, %s, is neither run, replaced nor removed, and each says so', async (_, record) => {
    const { redis, prefix, schedules, executed, serve, keep } = bench();
    const text = JSON.stringify(record);
    await redis.hset(`${prefix}:schedules`, 'docs', text);
    // What Redis has lost is set again, but not this.
    const known = {
      records: new Map([['docs', { ...RECORD, cron: '0 4 * * *' } as never]]),
      served: new Map(),
    };
    const said: string[] = [];
    const onChange = (message: string) => said.push(message);
    await keepSchedules({ redis, prefix, server: SERVER, wanted: [DAILY], known, onChange });
    expect([...said, ...(await keep())].join()).toMatch(/docs was set by a newer version.*left as it is/);
    const refused = {
      code: 'VERSION_UNSUPPORTED',
      message: expect.stringMatching(/schedule of docs/) as string,
    };
    await expect(schedules.set(DAILY)).rejects.toMatchObject(refused);
    await expect(schedules.remove('docs')).rejects.toMatchObject(refused);
    expect(await schedules.newer()).toEqual(['docs']);
    const jobs = serve();
    await schedules.request('other', {});
    await until('another one has run', () => executed.length > 0);
    await jobs.close();
    expect(executed.map(({ pipeline }) => pipeline)).toEqual(['other']);
    expect(await redis.hget(`${prefix}:schedules`, 'docs')).toBe(text);
  });

  test('that is damaged is set again by the file', async () => {
    const { redis, prefix, schedules, keep } = bench();
    await redis.hset(`${prefix}:schedules`, 'docs', JSON.stringify(RECORD).slice(0, -5));
    await keep();
    expect(await schedules.list()).toMatchObject([{ pipeline: 'docs' }]);
  });
});

test('the entry of a server: fields more are tolerated, a newer version is left alone, a damaged one is forgotten', async () => {
  const { redis, prefix } = bench();
  await announceServer(redis, prefix, SERVER, 1_000);
  const key = `${prefix}:servers`;
  const own = JSON.parse((await redis.hget(key, 'here')) ?? '') as object;
  await redis.hset(
    key,
    'more',
    JSON.stringify({ ...own, later: 1 }),
    'newer',
    '{"version":2}',
    'damaged',
    '{"ver',
  );
  const found = await listServers(redis, prefix, 2_000);
  expect(found.map(({ id }) => id).sort()).toEqual(['here', 'more']);
  expect((await redis.hkeys(key)).sort()).toEqual(['here', 'more', 'newer']);
});

describe('what a server knew last, in a file', () => {
  async function stored(change: (text: string) => string) {
    const home = await temporaryDirectory();
    const config = { ...loadConfig({}, home), dataDirectory: home };
    const first = new KnownSchedules(config);
    await first.save({ records: new Map([['docs', RECORD as never]]), served: new Map([['docs', 5]]) });
    const [name = ''] = await readdir(join(home, 'schedules'));
    const file = join(home, 'schedules', name);
    await mkdir(join(home, 'schedules'), { recursive: true });
    const text = change(await readFile(file, 'utf8'));
    await writeFile(file, text);
    return { file, text, again: new KnownSchedules(config) };
  }
  const edit = (more: object) => (text: string) =>
    JSON.stringify({ ...(JSON.parse(text) as object), ...more });

  test('is read with fields more, and without an entry that is damaged', async () => {
    const records = { docs: { ...RECORD, later: 1 }, other: { cron: 'never' } };
    const { again } = await stored(edit({ later: 1, records }));
    const { records: found, served } = await again.load();
    expect([...found.keys(), ...served.keys()]).toEqual(['docs', 'docs']);
  });

  test('is left as it is when a newer version wrote it', async () => {
    const { again, file, text } = await stored(edit({ version: 2, records: [] }));
    expect((await again.load()).records.size).toBe(0);
    await again.noteServed('docs', 6);
    await again.close();
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  test('is written again when it was cut off', async () => {
    const { again, file } = await stored((text) => text.slice(0, 20));
    expect((await again.load()).records.size).toBe(0);
    await again.noteServed('docs', 6);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ served: { docs: 6 } });
  });
});

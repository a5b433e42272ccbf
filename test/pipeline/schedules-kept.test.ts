import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  announceServer,
  keepSchedules,
  loadConfig,
  runKeys,
  Schedules,
  startIngestJobs,
  type IngestResult,
  type Schedule,
  type ScheduleSnapshot,
  type Server,
} from '@embedline/core';
import { loadConfigFile } from '../../apps/producer/src/pipeline/config-file.ts';
import { keepInStep } from '../../apps/producer/src/serve/keep-in-step.ts';
import { ServedFile } from '../../apps/producer/src/serve/served-file.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';

const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;
const TUESDAY = Date.parse('2026-05-05T00:00:00Z');
const NOTHING: ScheduleSnapshot = { records: new Map(), served: new Map() };

const at = (cron: string, pipeline = 'docs'): Schedule => ({
  pipeline,
  cron,
  timeZone: 'UTC',
  overlap: 'skip',
});
const THREE = at('0 3 * * *');
const FOUR = at('0 4 * * *');

/** A server with a file, which is a list of schedules here; it remembers what a real one remembers. */
function serverOf(prefix: string, path: string, clock: { nowMs: number }) {
  const redis = testRedis();
  const id = randomUUID();
  let known = NOTHING;
  const said: string[] = [];
  const keep = async (wanted: readonly Schedule[], pipelines = wanted.map(({ pipeline }) => pipeline)) => {
    const server: Server = { id, host: 'here', path, pipelines };
    await announceServer(redis, prefix, server, clock.nowMs);
    known = await keepSchedules({
      redis,
      prefix,
      server,
      wanted,
      known,
      onChange: (message) => said.push(message),
      now: async () => clock.nowMs,
    });
  };
  return { keep, said, forget: () => (known = NOTHING) };
}

function bench() {
  const [prefix, redis] = [testPrefix(), testRedis()];
  const clock = { nowMs: TUESDAY };
  const schedules = new Schedules({ connection: redis, prefix, now: () => clock.nowMs });
  onTestFinished(() => schedules.close());
  const listed = async () => (await schedules.list()).map(({ pipeline, cron }) => `${pipeline} ${cron}`);
  /** Serves until everything that is due has run. @returns what it was due for */
  const serveDue = async (serves?: (pipeline: string) => boolean): Promise<number[]> => {
    const results: IngestResult[] = [];
    let looks = 0;
    vi.useFakeTimers({ toFake: ['Date'], now: clock.nowMs });
    const jobs = startIngestJobs({
      redis,
      connection: testRedis('worker'),
      prefix,
      serves,
      execute: async () => ({ outcome: 'done', runId: 'run-1', message: null }),
      redisNow: async () => {
        looks += 1;
        return clock.nowMs;
      },
      lookEveryMs: 20,
      onError: () => undefined,
      onResult: (_, result) => results.push(result),
    });
    // Jobs ask for the time as well, a few times each: after so many, the schedules were looked at more than once.
    await until('it has looked', () => looks >= 12);
    await until('nothing is left to do', async () => {
      const [waiting, active] = [`${prefix}:ingest:wait`, `${prefix}:ingest:active`];
      return (await redis.llen(waiting)) + (await redis.llen(active)) === 0;
    });
    await jobs.close();
    vi.useRealTimers();
    return results.flatMap(({ scheduledForMs }) => (scheduledForMs === null ? [] : [scheduledForMs]));
  };
  const lose = async () => {
    const keys = await redis.keys(`${prefix}:*`);
    if (keys.length > 0) await redis.del(...keys);
  };
  return { prefix, redis, clock, schedules, listed, serveDue, lose };
}

beforeEach(() => void vi.useRealTimers());

describe('a server keeps the schedules in step with its file', () => {
  test('when the file is edited, a schedule goes, a pipeline is renamed', async () => {
    const { prefix, clock, listed } = bench();
    const { keep, said } = serverOf(prefix, '/a.ts', clock);
    await keep([THREE, at('5 * * * *', 'news')]);
    expect(await listed()).toEqual(['docs 0 3 * * *', 'news 5 * * * *']);
    await keep([FOUR, at('5 * * * *', 'news')]);
    expect(await listed()).toEqual(['docs 0 4 * * *', 'news 5 * * * *']);
    await keep([at('0 4 * * *', 'manuals')]);
    expect(await listed()).toEqual(['manuals 0 4 * * *']);
    await keep([], ['manuals']);
    expect(await listed()).toEqual([]);
    const count = said.length;
    await keep([], ['manuals']);
    expect(said).toHaveLength(count);
    expect(said.join('\n')).toMatch(/docs is no longer scheduled: \/a\.ts has no schedule for it/);
  });

  test('and a change only adds times that come after it', async () => {
    const { prefix, clock, serveDue } = bench();
    const { keep } = serverOf(prefix, '/a.ts', clock);
    await keep([THREE]);
    clock.nowMs = TUESDAY + 3 * HOUR_MS;
    expect(await serveDue()).toEqual([clock.nowMs]);
    clock.nowMs = TUESDAY + 10 * HOUR_MS;
    await keep([FOUR]);
    expect(await serveDue()).toEqual([]);
    clock.nowMs = TUESDAY + DAY_MS + 4 * HOUR_MS;
    expect(await serveDue()).toEqual([clock.nowMs]);
  });

  test('what schedule set says stands until the file is edited', async () => {
    const { prefix, clock, schedules, listed } = bench();
    const { keep } = serverOf(prefix, '/a.ts', clock);
    await keep([THREE]);
    await schedules.set(at('0 9 * * *'), { host: 'laptop', path: '/b.ts', timetable: null });
    await keep([THREE]);
    expect(await listed()).toEqual(['docs 0 9 * * *']);
    expect((await schedules.list())[0]?.source.kind).toBe('command');
    await keep([FOUR]);
    expect(await listed()).toEqual(['docs 0 4 * * *']);
    await schedules.set(at('0 9 * * *'));
    await keep([], ['docs']);
    expect(await listed()).toEqual([]);
  });

  test('a schedule of another file is left to its server, and taken over when that is gone', async () => {
    const { prefix, clock, schedules, listed } = bench();
    const [first, second] = [serverOf(prefix, '/a.ts', clock), serverOf(prefix, '/b.ts', clock)];
    await first.keep([THREE, at('5 * * * *', 'news')]);
    await second.keep([FOUR, at('0 5 * * *', 'wiki')]);
    expect(await listed()).toEqual(['docs 0 3 * * *', 'news 5 * * * *', 'wiki 0 5 * * *']);
    expect(second.said.join()).toMatch(/docs is scheduled by \/a\.ts on here.*\/b\.ts here says otherwise/s);
    expect((await schedules.list()).map(({ servers }) => servers)).toEqual([2, 1, 1]);
    clock.nowMs += 10 * 60_000;
    await second.keep([FOUR, at('0 5 * * *', 'wiki')]);
    expect(await listed()).toEqual(['docs 0 4 * * *', 'news 5 * * * *', 'wiki 0 5 * * *']);
    const sources = (await schedules.list()).map(({ source }) => (source.kind === 'file' ? source.path : ''));
    expect(sources).toEqual(['/b.ts', '/a.ts', '/b.ts']);
  });
});

describe('a missed time', () => {
  test('survives that the schedule is set again, with the same and with another time', async () => {
    const { prefix, clock, schedules, serveDue } = bench();
    const { keep } = serverOf(prefix, '/a.ts', clock);
    await keep([THREE]);
    await schedules.set(at('0 3 * * *', 'news'));
    clock.nowMs = TUESDAY + 2 * DAY_MS + 10 * HOUR_MS;
    await keep([FOUR]);
    await schedules.set(at('0 3 * * *', 'news'));
    const missed = TUESDAY + 2 * DAY_MS + 3 * HOUR_MS;
    expect(await serveDue()).toEqual([missed, missed]);
    expect(await serveDue()).toEqual([]);
  });

  test('survives that Redis loses its data, and what was served is not served again', async () => {
    const { prefix, clock, schedules, listed, serveDue, lose } = bench();
    const { keep, said } = serverOf(prefix, '/a.ts', clock);
    await keep([THREE]);
    await schedules.set(at('0 3 * * *', 'news'));
    clock.nowMs = TUESDAY + 3 * HOUR_MS;
    expect(await serveDue()).toHaveLength(2);
    await keep([THREE]);
    await lose();
    clock.nowMs += HOUR_MS;
    await keep([THREE]);
    expect(await listed()).toEqual(['docs 0 3 * * *', 'news 0 3 * * *']);
    expect(said.join()).toMatch(/Redis had lost the schedule of docs/);
    expect(await serveDue()).toEqual([]);
    await lose();
    clock.nowMs = TUESDAY + DAY_MS + 5 * HOUR_MS;
    await keep([THREE]);
    expect(await serveDue()).toEqual([TUESDAY + DAY_MS + 3 * HOUR_MS, TUESDAY + DAY_MS + 3 * HOUR_MS]);
  });

  test('is not made up by a server that knows of none', async () => {
    const { prefix, clock, serveDue, lose } = bench();
    const { keep, forget } = serverOf(prefix, '/a.ts', clock);
    await keep([THREE]);
    await lose();
    forget();
    clock.nowMs = TUESDAY + 10 * HOUR_MS;
    await keep([THREE]);
    expect(await serveDue()).toEqual([]);
  });

  test('of a Job Scheduler, as embedline 0.1 set it, is kept', async () => {
    const { prefix, redis, clock, schedules, listed, serveDue } = bench();
    const { Queue } = await import('bullmq');
    const queue = new Queue('ingest', { connection: redis, prefix });
    onTestFinished(() => queue.close());
    const data = { version: 1, pipeline: 'docs', kind: 'scheduled', overlap: 'skip', options: {} };
    vi.useFakeTimers({ toFake: ['Date'], now: clock.nowMs });
    await queue.upsertJobScheduler('docs', { pattern: '0 3 * * *', tz: 'UTC' }, { name: 'ingest', data });
    vi.useRealTimers();
    clock.nowMs = TUESDAY + 10 * HOUR_MS;
    expect(await listed()).toEqual(['docs 0 3 * * *']);
    expect(await queue.getJobSchedulersCount()).toBe(0);
    expect(await serveDue()).toEqual([TUESDAY + 3 * HOUR_MS]);
    expect((await schedules.list())[0]?.lastResult?.outcome).toBe('done');
  });
});

test('an ingest of a pipeline that a server does not know goes to one that does', async () => {
  const { prefix, redis, schedules, clock } = bench();
  clock.nowMs = Date.now();
  const results: string[] = [];
  const serve = (name: string) => {
    const jobs = startIngestJobs({
      redis,
      connection: testRedis('worker'),
      prefix,
      serves: (pipeline) => pipeline === name,
      execute: async () => ({ outcome: 'done', runId: null, message: null }),
      onError: () => undefined,
      onResult: ({ pipeline }) => results.push(`${pipeline} by ${name}`),
    });
    onTestFinished(() => jobs.close());
    return announceServer(redis, prefix, { id: name, host: 'h', path: name, pipelines: [name] }, Date.now());
  };
  await serve('docs');
  await announceServer(redis, prefix, { id: 'n', host: 'h', path: 'n', pipelines: ['news'] }, Date.now());
  await schedules.request('news', {});
  await schedules.request('docs', {});
  await until('the one has run', () => results.length === 1);
  await serve('news');
  await until('the other has run', () => results.length === 2);
  expect(results).toEqual(['docs by docs', 'news by news']);
});

test('a server notices at the next look that its file was edited or Redis emptied, and knows more after a restart', async () => {
  const [prefix, redis, directory] = [testPrefix(), testRedis(), await temporaryDirectory()];
  const path = join(directory, 'embedline.config.json');
  const write = (cron: string) =>
    writeFile(path, JSON.stringify({ pipelines: { docs: { sources: ['a.txt'], schedule: { cron } } } }));
  await write('0 3 * * *');
  const errors: string[] = [];
  const serve = async () => {
    const file = await loadConfigFile(directory);
    if (file === null) throw new Error('no file');
    const config = loadConfig({ EMBEDLINE_HOME: directory, EMBEDLINE_PREFIX: prefix });
    return keepInStep({
      config,
      redis,
      file: new ServedFile(file, (message) => errors.push(message)),
      onChange: () => undefined,
      onError: (message) => errors.push(message),
      everyMs: 20,
    });
  };
  const schedules = new Schedules({ connection: redis, prefix });
  onTestFinished(() => schedules.close());
  const cron = async () => (await schedules.list())[0]?.cron;
  const first = await serve();
  await until('it is set', async () => (await cron()) === '0 3 * * *');
  await writeFile(path, '{"pipelines": ');
  await until('the damage is told', () => errors.length > 0);
  expect(errors[0]).toMatch(/cannot be loaded.*stays in force/s);
  expect(await cron()).toBe('0 3 * * *');
  await write('0 4 * * *');
  await until('the edit is seen', async () => (await cron()) === '0 4 * * *');
  const tickMs = Date.now() - HOUR_MS;
  first.noteServed('docs', tickMs);
  await redis.del(runKeys(prefix).schedules, runKeys(prefix).schedulesKept);
  await until('it is set again', async () => (await cron()) === '0 4 * * *');
  await first.close();
  await redis.del(runKeys(prefix).schedules, runKeys(prefix).schedulesKept, runKeys(prefix).servedTicks);
  const second = await serve();
  await until(
    'the next server has restored it',
    async () => (await redis.hget(runKeys(prefix).servedTicks, 'docs')) === String(tickMs),
  );
  await second.close();
});

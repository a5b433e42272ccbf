import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  runKeys,
  Schedules,
  startIngestJobs,
  type ExecuteOptions,
  type Execution,
  type IngestRequest,
  type IngestResult,
} from '@embedline/core';
import { Queue } from 'bullmq';
import { testPrefix, testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const DAILY = { pipeline: 'docs', cron: '0 3 * * *', timeZone: 'UTC', overlap: 'skip' } as const;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 3600 * 1000;
const EVENING = Date.parse('2026-05-04T22:00:00Z');
const AT_THREE = Date.parse('2026-05-05T03:00:00Z');

// BullMQ reads the time from Date: only that is replaced, so that timers and Redis go on as usual.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: EVENING }));
afterEach(() => void vi.useRealTimers());

type Execute = (request: IngestRequest, options: ExecuteOptions) => Promise<Execution>;
const DONE: Execution = { outcome: 'done', runId: 'run-1', message: null };

function bench() {
  const [prefix, redis] = [testPrefix(), testRedis()];
  const schedules = new Schedules({ connection: testRedis(), prefix, now: () => Date.now() });
  onTestFinished(() => schedules.close());
  const results: (IngestResult & { pipeline: string })[] = [];
  const errors: string[] = [];
  const serve = (execute: Execute, redisNow: () => Promise<number> = async () => Date.now()) => {
    const jobs = startIngestJobs({
      redis,
      connection: testRedis('worker'),
      prefix,
      execute,
      redisNow,
      lookEveryMs: 50,
      onError: (message) => errors.push(message),
      onResult: ({ pipeline }, result) => results.push({ ...result, pipeline }),
    });
    onTestFinished(() => jobs.close());
    return jobs;
  };
  /** Moves the clock and rouses the servers that wait for work until then. */
  const moveTo = async (timeMs: number) => {
    vi.setSystemTime(timeMs);
    for (let score = 0; score < 5; score += 1)
      await redis.zadd(`${prefix}:ingest:marker`, score, String(score));
  };
  const lastResult = async () => (await schedules.list())[0]?.lastResult;
  return { prefix, redis, schedules, results, errors, serve, moveTo, lastResult };
}

/** Resolves when its time has come; then the ingest under way ends. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<Execution>();
  return { execute: vi.fn<Execute>(async () => promise), open: () => resolve(DONE) };
}

describe('a schedule', () => {
  test('is listed with its next times, replaced when it is set again, and removed', async () => {
    const { schedules } = bench();
    await schedules.set(DAILY);
    await Promise.all(
      Array.from({ length: 20 }, () =>
        schedules.set({ ...DAILY, cron: '30 4 * * 1', timeZone: 'Europe/Zurich' }),
      ),
    );
    const listed = await schedules.list();
    expect(listed).toHaveLength(1);
    expect(listed[0]).toMatchObject({
      pipeline: 'docs',
      cron: '30 4 * * 1',
      timeZone: 'Europe/Zurich',
      overlap: 'skip',
      lastResult: null,
    });
    expect(listed[0]?.next.map((date) => date.toISOString())).toEqual([
      '2026-05-11T02:30:00.000Z',
      '2026-05-18T02:30:00.000Z',
      '2026-05-25T02:30:00.000Z',
    ]);
    expect(await schedules.remove('docs')).toBe(true);
    expect(await schedules.remove('docs')).toBe(false);
    expect(await schedules.list()).toEqual([]);
    await expect(schedules.set({ ...DAILY, cron: '@daily' })).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('runs once when its time comes, however many servers there are, and not before', async () => {
    const { schedules, serve, moveTo, results, lastResult } = bench();
    const execute = vi.fn<Execute>(async () => DONE);
    for (let server = 0; server < 3; server += 1) serve(execute);
    await schedules.set(DAILY);
    await moveTo(AT_THREE - MINUTE_MS);
    await moveTo(AT_THREE);
    await until('it has run', () => results.length > 0);
    await moveTo(AT_THREE + MINUTE_MS);
    await moveTo(AT_THREE + DAY_MS);
    await until('it has run on the next day', () => results.length > 1);
    expect(execute).toHaveBeenCalledTimes(2);
    expect(results.map(({ scheduledForMs }) => scheduledForMs)).toEqual([AT_THREE, AT_THREE + DAY_MS]);
    expect(await lastResult()).toMatchObject({
      outcome: 'done',
      runId: 'run-1',
      kind: 'scheduled',
      scheduledForMs: AT_THREE + DAY_MS,
    });
  });

  test('that was missed while nobody served runs once, and then goes on as usual', async () => {
    const { schedules, serve, moveTo, results } = bench();
    await schedules.set(DAILY);
    await moveTo(AT_THREE + 3 * DAY_MS + MINUTE_MS);
    const execute = vi.fn<Execute>(async () => DONE);
    serve(execute);
    await until('the missed one has run', () => results.length > 0);
    expect((await schedules.list())[0]?.next[0]?.getTime()).toBe(AT_THREE + 4 * DAY_MS);
    await moveTo(AT_THREE + 4 * DAY_MS);
    await until('the next one has run', () => results.length > 1);
    expect(execute).toHaveBeenCalledTimes(2);
    expect(results[1]?.scheduledForMs).toBe(AT_THREE + 4 * DAY_MS);
  });

  test('set again by a deployment between two ticks loses and repeats none', async () => {
    const { schedules, serve, moveTo, results } = bench();
    serve(async () => DONE);
    for (let day = 0; day < 3; day += 1) {
      await schedules.set(DAILY);
      await moveTo(AT_THREE + day * DAY_MS);
      await until(`day ${day} has run`, () => results.length === day + 1);
      await schedules.set(DAILY);
    }
    expect(results).toHaveLength(3);
  });
});

describe('while an ingest of the pipeline runs', () => {
  const LOCKED: Execution = { outcome: 'locked', message: 'run x has it' };

  test('a tick is skipped, and that is said', async () => {
    const { schedules, serve, moveTo, results, lastResult } = bench();
    serve(async () => LOCKED);
    await schedules.set(DAILY);
    await moveTo(AT_THREE);
    await until('it was skipped', () => results.length > 0);
    expect(await lastResult()).toMatchObject({ outcome: 'skipped', runId: null, message: 'run x has it' });
  });

  test('with queue-one it waits for its turn, and one more is skipped', async () => {
    const { schedules, serve, moveTo, results, redis, prefix } = bench();
    let free = false;
    const execute = vi.fn<Execute>(async (_, { onStarted }) => {
      if (!free) return LOCKED;
      onStarted();
      return DONE;
    });
    serve(execute);
    await schedules.request('docs', {});
    await until('it waits', async () => (await redis.exists(runKeys(prefix).waitingIngest('docs'))) === 1);
    await schedules.request('docs', {});
    await until('the second one was skipped', () => results.length > 0);
    expect(results[0]).toMatchObject({ outcome: 'skipped', kind: 'detached' });
    free = true;
    await moveTo(EVENING + MINUTE_MS);
    await until('the first one has run', () => results.length > 1);
    expect(results[1]).toMatchObject({ outcome: 'done' });
    await until(
      'its place is free',
      async () => (await redis.exists(runKeys(prefix).waitingIngest('docs'))) === 0,
    );
  });
});

describe('faults', () => {
  test('what a server that died had begun goes on: the next one waits for it instead of leaving it out', async () => {
    const { schedules, serve, moveTo, results, redis, prefix } = bench();
    const free = vi.fn(() => false);
    await schedules.set(DAILY);
    const queue = new Queue('ingest', { connection: redis, prefix });
    await moveTo(AT_THREE);
    const jobId = `scheduled-docs-${AT_THREE}`;
    const data = { version: 1, pipeline: 'docs', kind: 'scheduled', overlap: 'skip', options: {} };
    await queue.add('ingest', data, { jobId });
    // BullMQ notes here how often the job of a dead server was found.
    await redis.hset(`${prefix}:ingest:${jobId}`, 'stc', '1');
    await queue.close();
    serve(async () => (free() ? DONE : { outcome: 'locked', message: 'run x has it' }));
    await until('it waits', async () => (await redis.exists(runKeys(prefix).waitingIngest('docs'))) === 1);
    expect(results).toEqual([]);
    free.mockReturnValue(true);
    await moveTo(AT_THREE + MINUTE_MS);
    await until('it has run', () => results.length > 0);
    expect(results[0]).toMatchObject({ outcome: 'done', kind: 'scheduled' });
  });

  test('a server whose clock is wrong runs nothing; one whose clock is right does, at the right time', async () => {
    const { schedules, serve, moveTo, errors, results } = bench();
    let redisNowMs = EVENING;
    const skewed = vi.fn<Execute>(async () => DONE);
    await schedules.set(DAILY);
    await schedules.request('docs', {});
    await moveTo(AT_THREE + 2 * 3600 * 1000);
    const jobs = serve(skewed, async () => redisNowMs);
    await until('the skew is told', () => errors.length > 0);
    expect(errors[0]).toMatch(/clocks of this machine and of Redis are \d+ seconds apart/);
    await jobs.close();
    await moveTo(EVENING);
    const right = vi.fn<Execute>(async () => DONE);
    serve(right, async () => redisNowMs);
    await until('what was asked for has run', () => results.length === 1);
    redisNowMs = AT_THREE;
    await moveTo(AT_THREE);
    await until('it has run', () => results.length > 1);
    expect([skewed.mock.calls.length, right.mock.calls.length]).toEqual([0, 2]);
    expect(results[1]?.scheduledForMs).toBe(AT_THREE);
  });

  test('an ingest under way when its server stops goes to another server', async () => {
    const { schedules, serve, results } = bench();
    const first = gate();
    const stopped = vi.fn();
    const jobs = serve((request, options) => {
      options.signal.addEventListener('abort', () => {
        stopped();
        first.open();
      });
      return first.execute(request, options);
    });
    await schedules.request('docs', { rebuild: true });
    await until('it has begun', () => first.execute.mock.calls.length === 1);
    await jobs.close();
    expect(stopped).toHaveBeenCalledOnce();
    expect(results).toEqual([]);
    const second = vi.fn<Execute>(async () => DONE);
    serve(second);
    await until('it has run elsewhere', () => results.length > 0);
    expect(second.mock.calls[0]?.[0]).toMatchObject({ pipeline: 'docs', options: { rebuild: true } });
  });

  test('a failure is recorded with its reason; a request that is none is refused', async () => {
    const { schedules, serve, results, redis, prefix, lastResult } = bench();
    await schedules.set(DAILY);
    const execute = vi.fn<Execute>(async () => {
      throw new Error('no such pipeline here');
    });
    serve(execute);
    await schedules.request('docs', {});
    await until('it failed', () => results.length > 0);
    expect(await lastResult()).toMatchObject({ outcome: 'failed', message: 'no such pipeline here' });

    const id = await schedules.request('docs', {});
    await until('it failed again', () => results.length > 1);
    const forged = { version: 1, pipeline: '../etc', kind: 'detached', overlap: 'skip', sources: ['/etc'] };
    await redis.hset(`${prefix}:ingest:forged`, {
      name: 'ingest',
      data: JSON.stringify(forged),
      opts: '{}',
      timestamp: '1',
      delay: '0',
      priority: '0',
    });
    await redis.lpush(`${prefix}:ingest:wait`, 'forged');
    await redis.zadd(`${prefix}:ingest:marker`, 0, '0');
    await until(
      'it was refused',
      async () => (await redis.hget(`${prefix}:ingest:forged`, 'failedReason')) !== null,
    );
    expect(execute).toHaveBeenCalledTimes(2);
    expect(id).toMatch(/^detached-/);
  });
});

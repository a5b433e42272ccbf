import { hostname } from 'node:os';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { acquireRunLock, ObservedRuns, runKeys, RunLedger, Schedules } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { jsonl, testBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { testLedger } from '../support/recorded-run.ts';
import { testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

/** A run whose producer holds the lock of its pipeline, or did. */
async function setUp(pipeline = 'docs') {
  const { redis, prefix, ledger, record } = testLedger();
  const runId = await record({ pipeline });
  const scope = `pipeline:${pipeline}`;
  const owner = { host: 'elsewhere', pid: 42, runId };
  const lock = await acquireRunLock({ redis, prefix, scope, owner });
  const observe = (settleMs = 0) => new ObservedRuns({ ledger, redis, prefix, settleMs });
  const keys = runKeys(prefix);
  const expire = () => redis.del(keys.lock(scope));
  return { redis, prefix, ledger, record, runId, scope, owner, lock, observe, expire, keys };
}

describe('a run whose producer was killed', () => {
  test(
    'is lost for status, watch, doctor and failed, until the next ingest',
    { timeout: 60_000 },
    async () => {
      const bench = await testBench();
      const records = Array.from({ length: 5 }, (_, index) => ({ id: `d${index}`, text: `text ${index}` }));
      await writeFile(join(bench.directory, 'docs.jsonl'), `${jsonl(records)}{"no":"id"}\n`);
      const ledger = new RunLedger({ redis: testRedis(), prefix: bench.prefix });
      const ingest = ['ingest', 'docs.jsonl', '--collection', 'docs', '--json', '--sweep-incomplete'];
      const killed = bench.start(ingest);
      await until('it waits for workers', async () => (await ledger.list(1))[0]?.sealed === true);
      const before = await runInProcess(bench, ['status', '--json']);
      expect(before.json).toMatchObject([{ state: 'running', endedAt: null }]);
      killed.process.kill('SIGKILL');
      await killed.result;

      const status = await runInProcess(bench, ['status']);
      expect(status.code).toBe(0);
      expect(status.stdout).toMatch(
        /lost[^]*Its producer \(process \d+ on .*\) has died; its last sign of life was at \d{4}-.* UTC\. Ingest docs again/,
      );
      expect(status.stdout).not.toMatch(/ETA|waiting for/);
      const [{ run } = { run: '' }] = (await runInProcess(bench, ['status', '--json'])).json;
      expect((await runInProcess(bench, ['status', String(run), '--json'])).json).toMatchObject([
        {
          state: 'lost',
          etaSeconds: null,
          waitingFor: null,
          lostSince: expect.stringMatching(/Z$/) as string,
        },
      ]);
      const watched = await runInProcess(bench, ['status', '--watch', '--json']);
      expect(watched).toMatchObject({ code: 1, json: [{ state: 'lost' }] });
      const doctor = await runInProcess(bench, ['doctor', '--json']);
      expect(doctor.json.filter(({ check }) => check === 'runs')).toMatchObject([
        { verdict: 'warning', found: expect.stringContaining(`${String(run)} of docs is lost`) as string },
      ]);
      const schedules = new Schedules({ connection: testRedis(), prefix: bench.prefix });
      await schedules.set({ pipeline: 'docs', cron: '0 3 * * *', timeZone: 'UTC', overlap: 'skip' });
      await schedules.close();
      expect(await runInProcess(bench, ['schedule', 'list'])).toMatchObject({
        code: 0,
        stderr: expect.stringContaining(`Run ${String(run)} of docs is lost. Its producer`) as string,
      });
      const failed = await runInProcess(bench, ['failed', 'list']);
      expect(failed.stdout).toContain(`1 dead letter of run ${String(run)} (lost)`);

      const again = bench.start(ingest);
      await until('it has begun', async () => (await ledger.list(2)).length === 2);
      expect((await runInProcess(bench, ['status', String(run), '--json'])).json).toMatchObject([
        { state: 'failed', message: 'its process died' },
      ]);
      again.process.kill('SIGINT');
      expect((await again.result).code).toBe(130);
    },
  );

  test('on another machine is lost once its lock has run out, and runs again when it comes back', async () => {
    const { observe, expire, runId, redis, prefix, scope, owner, lock } = await setUp();
    expect(await observe().find(runId)).toMatchObject({ state: 'running' });
    await expire();
    const lost = await observe().find(runId);
    expect(lost).toMatchObject({ state: 'lost', waitingFor: null });
    expect(lost?.message).toMatch(/process 42 on elsewhere\) has given no sign of life since/);
    expect(Math.abs(Date.now() - (lost?.lost?.sinceMs ?? 0))).toBeLessThan(60_000);
    expect(await observe().unfinished()).toMatchObject([{ state: 'lost' }]);
    expect(await observe().list({ states: new Set(['running']) })).toEqual([]);
    const back = await acquireRunLock({ redis, prefix, scope, owner });
    expect(await observe().find(runId)).toMatchObject({ state: 'running' });
    await back.release();
    await lock.release();
  });

  test('is told at once on its own machine, whether or not the lock is still there', async () => {
    const { ledger, redis, prefix, record, keys } = withKeys();
    const runId = await record();
    const owner = { host: hostname(), pid: 42, runId };
    const isAlive = () => false;
    const lock = await acquireRunLock({ redis, prefix, scope: 'pipeline:docs', owner, isAlive });
    const observed = new ObservedRuns({ ledger, redis, prefix, isAlive, settleMs: 3_600_000 });
    expect(await observed.find(runId)).toMatchObject({ state: 'lost' });
    await redis.del(keys.lock('pipeline:docs'));
    expect(await observed.find(runId)).toMatchObject({ state: 'lost' });
    const living = new ObservedRuns({ ledger, redis, prefix, isAlive: () => true, settleMs: 3_600_000 });
    expect(await living.find(runId)).toMatchObject({ state: 'running' });
    await lock.release();
  });
});

function withKeys() {
  const ledger = testLedger();
  return { ...ledger, keys: runKeys(ledger.prefix) };
}

describe('a run that has not ended', () => {
  test('is not lost while a Redis that was restarted waits for its producer to come back', async () => {
    const { observe, expire, runId } = await setUp();
    await expire();
    // However long this Redis has been up, it is less than that.
    const justStarted = 10 * 365 * 24 * 3600 * 1000;
    expect(await observe(justStarted).find(runId)).toMatchObject({ state: 'running' });
    expect(await observe(0).find(runId)).toMatchObject({ state: 'lost' });
  });

  test('is lost when another has taken its place, and is not when only a newer version can name the owner', async () => {
    const { observe, expire, runId, redis, prefix, scope, keys, lock } = await setUp();
    await expire();
    const other = await acquireRunLock({
      redis,
      prefix,
      scope,
      owner: { host: 'x', pid: 1, runId: 'other' },
    });
    expect((await observe().find(runId))?.message).toContain('run other has taken its place');
    await other.release();
    expect((await observe().find(runId))?.message).toContain('gave up its lock');
    await redis.set(keys.lock(scope), '{"version":2}');
    expect(await observe().find(runId)).toMatchObject({ state: 'running' });
    await lock.release();
  });

  test('is not lost when it ends while it is looked at', async () => {
    const { observe, ledger, runId, lock } = await setUp();
    const running = await ledger.progress(runId);
    await ledger.end(runId, 'done', null);
    await lock.release();
    const progress = ledger.progress.bind(ledger);
    let asked = 0;
    ledger.progress = (id) => (asked++ === 0 ? Promise.resolve(running) : progress(id));
    expect(await observe().find(runId)).toMatchObject({ state: 'done' });
  });

  test('is told apart from runs of pipelines with odd names, 120 of them at once', async () => {
    const { ledger, redis, prefix, record } = testLedger();
    const names = Array.from({ length: 120 }, (_, index) => `{p}:${index} é`);
    const runIds = await Promise.all(names.map((pipeline) => record({ pipeline })));
    const living = runIds.filter((_, index) => index % 2 === 0);
    for (const [index, runId] of runIds.entries()) {
      if (!living.includes(runId)) continue;
      const scope = `pipeline:${names[index] ?? ''}`;
      await acquireRunLock({ redis, prefix, scope, owner: { host: 'elsewhere', pid: 1, runId } });
    }
    const observed = new ObservedRuns({ ledger, redis, prefix, settleMs: 0 });
    const states = Map.groupBy(await observed.unfinished(), ({ state }) => state);
    expect(
      states
        .get('running')
        ?.map(({ spec }) => spec.runId)
        .toSorted(),
    ).toEqual(living.toSorted());
    expect(states.get('lost')).toHaveLength(60);
  });
});

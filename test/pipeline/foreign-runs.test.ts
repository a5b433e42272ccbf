import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { acquireRunLock, announceWorker, type RedisConnection, type RunSpec } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { testBench, type TestBench } from '../support/cli.ts';
import { finding } from '../support/doctor.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { MANIFEST } from '../support/points.ts';
import { privateRedis } from '../support/private-redis.ts';
import { testLedger } from '../support/recorded-run.ts';
import { testRedis } from '../support/redis.ts';

/** A run whose producer holds its lock, as it does while it lives. */
async function liveRun(redis: RedisConnection, prefix: string, changes: Partial<RunSpec> = {}) {
  const { record, ledger } = testLedger(redis, prefix);
  const pipeline = changes.pipeline ?? 'theirs';
  const runId = await record({ runId: 'run-theirs', collection: 'their-docs', ...changes, pipeline });
  const owner = { host: 'other', pid: 1, runId };
  const lock = await acquireRunLock({ redis, prefix, scope: `pipeline:${pipeline}`, owner });
  onTestFinished(() => lock.release());
  return ledger;
}

async function foreignRunsSeenBy(bench: TestBench) {
  const { json } = await runInProcess(bench, ['doctor', '--json']);
  return json.filter(({ check }) => check === 'foreign runs');
}

describe('two projects on one Redis with one prefix', () => {
  test.each(['sqlite', 'qdrant'] as const)(
    'doctor names the runs of the other one, which writes to %s, and what to do',
    async (storeKind) => {
      const bench = await testBench();
      await liveRun(testRedis(), bench.prefix, { storeKind });
      expect(await finding(bench, 'foreign runs')).toMatchObject({
        verdict: 'warning',
        found: '1 run in this Redis writes to another vector store: run-theirs of collection their-docs.',
        remedy: expect.stringContaining('EMBEDLINE_PREFIX') as string,
      });
    },
  );

  test('doctor says nothing of runs into its own store, of ended ones and of lost ones', async () => {
    const bench = await testBench();
    const redis = testRedis();
    const store = await openSqliteStore({ directory: join(bench.directory, 'vectors') });
    const { collection, name, identity } = await store.createGeneration('docs', MANIFEST);
    await store.close();
    await liveRun(redis, bench.prefix, {
      runId: 'run-own',
      collection,
      generation: { collection, name, identity },
    });
    const ledger = await liveRun(redis, bench.prefix, { runId: 'run-ended', pipeline: 'ended' });
    await ledger.end('run-ended', 'done', null);
    // The lock of its pipeline is another run's by now.
    await testLedger(redis, bench.prefix).record({ runId: 'run-lost', pipeline: 'newer' });
    await liveRun(redis, bench.prefix, {
      runId: 'run-newer',
      pipeline: 'newer',
      collection,
      generation: { collection, name, identity },
    });
    expect(await foreignRunsSeenBy(bench)).toEqual([]);
  });

  test.each([
    ['{embedline}', 1],
    ['{own}', 0],
  ])('an ingest of two pipelines with the prefix %s warns %s times', async (prefix, times) => {
    const server = await privateRedis();
    const bench = await testBench({ REDIS_URL: server.url, EMBEDLINE_PREFIX: prefix });
    await liveRun(server.connect(), prefix);
    const pipeline = { sources: ['empty.jsonl'] };
    const pipelines = { a: pipeline, b: pipeline };
    await writeFile(join(bench.directory, 'embedline.config.json'), JSON.stringify({ pipelines }));
    await writeFile(join(bench.directory, 'empty.jsonl'), '');
    const { code, stderr } = await runInProcess(bench, ['ingest', '--all']);
    expect(code, stderr).toBe(0);
    expect(stderr.split('run-theirs of collection their-docs').length - 1).toBe(times);
  });

  test('doctor says once why workers refuse, however many they are', async () => {
    const bench = await testBench();
    const redis = testRedis();
    for (const workerId of ['w1', 'w2', 'w3']) {
      const presence = await announceWorker({ redis, prefix: bench.prefix, workerId, concurrency: 1 });
      onTestFinished(() => presence.close());
      presence.setRefusals([
        { runId: 'run-1', code: 'STORE_MISMATCH', reason: 'Another store.', sinceMs: 0 },
      ]);
    }
    expect(await finding(bench, 'refusing workers')).toMatchObject({
      verdict: 'warning',
      found: expect.stringMatching(/w\d and 2 more cannot serve run run-1: Another store\./) as string,
    });
  });
});

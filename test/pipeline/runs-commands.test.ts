import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { acquireRunLock, createBatchQueue, RunLedger } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { recordRun } from '../support/recorded-run.ts';
import { testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const PACED_WORKER = fileURLToPath(new URL('../support/paced-worker.ts', import.meta.url));
const INGEST = ['ingest', 'docs.jsonl', '--collection', 'docs', '--json'];

async function setUp() {
  const bench = await testBench();
  const redis = testRedis();
  const ledger = new RunLedger({ redis, prefix: bench.prefix });
  const queue = createBatchQueue({ connection: redis, prefix: bench.prefix });
  onTestFinished(() => queue.close());
  const cli = (...args: string[]) => runInProcess(bench, args);
  return { bench, redis, ledger, queue, cli };
}

async function writeDocs({ directory }: TestBench): Promise<void> {
  const records = Array.from({ length: 40 }, (_, index) => ({
    id: `d${index}`,
    text: `text ${index} `.repeat(300),
  }));
  await writeFile(join(directory, 'docs.jsonl'), jsonl(records));
}

describe('runs cancel', () => {
  test('stops a run that another process feeds, drops its queue, and lets nothing count afterwards', async () => {
    const { bench, ledger, queue, cli } = await setUp();
    await writeDocs(bench);
    const ingest = bench.start(INGEST);
    await until('it waits for workers', async () => (await ledger.list(1))[0]?.sealed === true);
    const runId = (await ledger.list(1))[0]?.spec.runId ?? '';
    const cancelled = await cli('runs', 'cancel', runId, '--json');
    expect(cancelled).toMatchObject({
      code: 0,
      stderr: '',
      json: [
        {
          type: 'cancelled',
          run: runId,
          pipeline: 'docs',
          cancelled: true,
          state: 'cancelled',
          was: 'running',
        },
      ],
    });
    const result = await ingest.result;
    expect(result.code).toBe(130);
    expect(result.json.find(({ type }) => type === 'error')).toMatchObject({ code: 'RUN_CANCELLED' });
    expect(result.json.find(({ type }) => type === 'summary')).toMatchObject({ state: 'cancelled' });
    const total = (await ledger.progress(runId))?.producer.batchesTotal ?? 0;
    expect(total).toBeGreaterThan(0);
    const batches = Array.from({ length: total }, (_, index) => index);
    expect((await queue.unattended(runId, batches)).missing).toEqual(batches);
    const late = { runId, batchIndex: 0, workerId: 'w', deadLetters: [] };
    await ledger.completeBatch({ ...late, result: { chunksEmbedded: 3, tokensEmbedded: 1, bytes: 1 } });
    expect(await ledger.progress(runId)).toMatchObject({
      state: 'cancelled',
      workers: { batchesDone: 0, chunksEmbedded: 0 },
    });
    const again = await cli('runs', 'cancel', runId);
    expect(again).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/had ended already \(cancelled at/) as string,
    });
    bench.startProgram(PACED_WORKER);
    const next = await bench.run(INGEST);
    expect(next.json.at(-1)).toMatchObject({ state: 'done', deadLetters: 0 });
    expect(next.json.at(-1)?.['chunks']).toMatchObject({ skipped: 0 });
  }, 60_000);

  test('drops the queue of a run that has lost its producer', async () => {
    const { bench, ledger, queue, cli } = await setUp();
    await writeDocs(bench);
    const ingest = bench.start(INGEST);
    await until('it waits for workers', async () => (await ledger.list(1))[0]?.sealed === true);
    ingest.process.kill('SIGKILL');
    await ingest.result;
    const runId = (await ledger.list(1))[0]?.spec.runId ?? '';
    expect((await queue.unattended(runId, [0])).missing).toEqual([]);
    expect((await cli('runs', 'cancel', runId)).stdout).toMatch(
      /Cancelled run .* of docs, whose producer was gone/,
    );
    expect((await queue.unattended(runId, [0])).missing).toEqual([0]);
    expect((await cli('status', runId, '--json')).json).toMatchObject([{ state: 'cancelled' }]);
  });

  test('says that a run has ended, or that there is none', async () => {
    const { ledger, cli } = await setUp();
    const runId = await recordRun(ledger);
    await ledger.end(runId, 'done', null);
    expect(await cli('runs', 'cancel', runId)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/had ended already \(done at .* UTC\): nothing to cancel/) as string,
    });
    expect(await ledger.progress(runId)).toMatchObject({ state: 'done' });
    const odd = await cli('runs', 'cancel', '../*');
    expect(odd).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no run "../*"') as string,
    });
  });

  test('ends a producer in whatever stage it is: it may write nothing more to its record', async () => {
    const { ledger } = await setUp();
    const runId = await recordRun(ledger);
    await ledger.end(runId, 'cancelled', null);
    const cancelled = { code: 'RUN_CANCELLED' };
    await expect(ledger.setStage(runId, 'publishing')).rejects.toMatchObject(cancelled);
    await expect(ledger.assertRunning(runId)).rejects.toMatchObject(cancelled);
    await expect(ledger.addDeadLetters(runId, [{ key: 'a' } as never])).rejects.toMatchObject(cancelled);
    expect(await ledger.end(runId, 'done', null)).toBe(false);
  });
});

describe('runs list', () => {
  test('counts and names what it cannot read, as status, failed list and doctor do', async () => {
    const { bench, ledger, redis, cli } = await setUp();
    const good = await recordRun(ledger);
    const [newer, damaged] = [await recordRun(ledger), await recordRun(ledger)];
    const key = (runId: string) => `${bench.prefix}:run:${runId}`;
    const spec = JSON.parse((await redis.hget(key(newer), 'spec')) ?? '') as object;
    await redis.hset(key(newer), 'spec', JSON.stringify({ ...spec, version: 99 }));
    await redis.hset(key(damaged), 'spec', JSON.stringify(spec).slice(0, 50));
    for (const command of [
      'runs list',
      'status',
      'runs list --state running,lost',
      'runs list --json',
      'status --json',
    ]) {
      const { code, stdout, stderr } = await cli(...command.split(' '));
      expect([code, stdout.includes(good), stdout.includes(newer), stdout.includes(damaged)]).toEqual([
        0,
        true,
        false,
        false,
      ]);
      expect(stderr).toContain(`newer version of embedline wrote the record: 1 run (${newer}).`);
      expect(stderr).toContain(`the record in Redis is damaged: 1 run (${damaged}).`);
    }
    const { stdout } = await cli('doctor');
    for (const runId of [newer, damaged]) expect(stdout).toContain(runId);
  });

  test('takes a pipeline, states and a limit, newest first', async () => {
    const { ledger, cli } = await setUp();
    const [a, b, c] = [
      await recordRun(ledger, { pipeline: 'docs' }),
      await recordRun(ledger, { pipeline: 'blog: ä' }),
      await recordRun(ledger, { pipeline: 'docs' }),
    ];
    await ledger.end(a, 'failed', 'no reason');
    await ledger.end(b, 'cancelled', null);
    const ids = async (...args: string[]) =>
      (await cli('runs', 'list', '--json', ...args)).json.map(({ run }) => String(run)).toSorted();
    expect(await ids()).toEqual([a, b, c].toSorted());
    expect(await ids('--pipeline', 'docs')).toEqual([a, c].toSorted());
    expect(await ids('--pipeline', 'blog: ä')).toEqual([b]);
    expect(await ids('--state', 'failed')).toEqual([a]);
    expect(await ids('--state', 'failed,cancelled')).toEqual([a, b].toSorted());
    expect(await ids('--state', 'running,lost')).toEqual([c]);
    expect(await ids('--limit', '1')).toHaveLength(1);
    const table = (await cli('runs', 'list')).stdout;
    expect(table).toMatch(/^RUN +PIPELINE +STATE +STARTED \(UTC\)/);
    expect(table).toMatch(/blog: ä +cancelled/);
    expect(await cli('runs', 'list', '--state', 'gone')).toMatchObject({ code: 1 });
    expect((await cli('runs', 'list', '--pipeline', 'none')).stdout).toBe('No such runs.\n');
  });
});

describe('runs prune', () => {
  test('forgets ended runs but the newest, says how many bytes that was, and leaves running ones', async () => {
    const { bench, redis, ledger, cli } = await setUp();
    const ended: string[] = [];
    for (let index = 0; index < 4; index += 1) ended.push(await recordRun(ledger));
    const other = await recordRun(ledger, { pipeline: 'other' });
    for (const runId of [...ended, other]) await ledger.end(runId, 'done', null);
    const living = await recordRun(ledger);
    const owner = { host: 'elsewhere', pid: 1, runId: 'another' };
    await acquireRunLock({ redis, prefix: bench.prefix, scope: 'pipeline:docs', owner });
    const none = await cli('runs', 'prune', '--json');
    expect(none.json).toEqual([{ type: 'summary', runs: 0, bytes: 0, dryRun: false }]);
    const dry = await cli('runs', 'prune', '--keep', '1', '--pipeline', 'docs', '--dry-run', '--json');
    expect(dry.json.at(-1)).toMatchObject({ runs: 3, dryRun: true });
    expect(await ledger.list()).toHaveLength(6);
    const pruned = await cli('runs', 'prune', '--keep', '1', '--pipeline', 'docs', '--json');
    expect(pruned.json.at(-1)).toMatchObject({ type: 'summary', runs: 3 });
    expect(Number(pruned.json.at(-1)?.['bytes'])).toBeGreaterThan(1000);
    expect((await ledger.list()).map(({ spec }) => spec.runId)).toContain(living);
    expect(await ledger.list()).toHaveLength(3);
    const all = await cli('runs', 'prune', '--older-than', '0d');
    expect(all.stdout).toMatch(/docs: 1 run\n {2}other: 1 run\nForgot 2 runs, \d.* in Redis\.\n$/);
    expect(all.stderr).toMatch(/1 run without a producer stayed/);
    expect((await redis.keys(`${bench.prefix}:run:*`)).every((key) => key.includes(living))).toBe(true);
  });
});

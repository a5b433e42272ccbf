import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectedWorkers, connectRedis, RunLedger, type RunProgress } from '@embedline/core';
import { describe, expect, inject, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { comparable, storedPoints } from '../support/stored.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';
import { testRedis } from '../support/redis.ts';

const documents = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    id: `doc-${index}`,
    text: Array.from(
      { length: 12 },
      (_, line) => `Document ${index} says in line ${line} that ${index * line} is a number.`,
    ).join(' '),
  }));

async function writeCorpus(bench: TestBench, count: number): Promise<string> {
  const file = join(bench.directory, 'docs.jsonl');
  await writeFile(file, jsonl(documents(count)));
  return file;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function latestRun(ledger: RunLedger): Promise<RunProgress | undefined> {
  return (await ledger.list(1))[0];
}

/** What the corpus gives without any fault. */
async function undisturbed(count: number) {
  const bench = await testBench();
  const file = await writeCorpus(bench, count);
  await bench.run(['ingest', file, '--collection', 'docs', '--workers', '2']);
  return comparable(await storedPoints(bench.directory, 'docs'));
}

describe('workers that die', () => {
  test('kill -9 in the middle of the work loses nothing and counts nothing twice', async () => {
    const bench = await testBench();
    const file = await writeCorpus(bench, 400);
    const ledger = new RunLedger({ redis: testRedis(), prefix: bench.prefix });
    const victim = bench.startWorker();
    const ingest = bench.start(['ingest', file, '--collection', 'docs', '--json']);
    await until('a batch is done', async () => ((await latestRun(ledger))?.workers.batchesDone ?? 0) >= 1);
    victim.process.kill('SIGKILL');
    bench.startWorker();
    const { code, json } = await ingest.result;
    expect(code).toBe(0);
    expect(json.at(-1)).toMatchObject({
      state: 'done',
      documents: { read: 400 },
      chunks: { total: 400, embedded: 400 },
      deadLetters: 0,
    });
    expect(comparable(await storedPoints(bench.directory, 'docs'))).toEqual(await undisturbed(400));
  });

  test('SIGTERM: the worker hands back what it has not finished and exits 0', async () => {
    const bench = await testBench();
    const file = await writeCorpus(bench, 200);
    const ledger = new RunLedger({ redis: testRedis(), prefix: bench.prefix });
    const first = bench.startWorker(['--concurrency', '1', '--grace', '1']);
    const ingest = bench.start(['ingest', file, '--collection', 'docs', '--json']);
    await until(
      'a batch is under way',
      async () =>
        ((await latestRun(ledger))?.producer.batchesTotal ?? 0) > 0 && first.output().includes('ready'),
    );
    first.process.kill('SIGTERM');
    expect((await first.result).code).toBe(0);
    bench.startWorker();
    expect((await ingest.result).json.at(-1)).toMatchObject({ state: 'done', chunks: { embedded: 200 } });
  });
});

test('a worker that sees another store leaves the run to others, says why, and goes on', async () => {
  const bench = await testBench();
  const file = await writeCorpus(bench, 3);
  const stranger = bench.startWorker(['--concurrency', '1'], { EMBEDLINE_HOME: await temporaryDirectory() });
  const ingest = bench.start(['ingest', file, '--collection', 'docs', '--json']);
  await until('it refuses', () => stranger.output().includes('Leaves run'));
  expect(stranger.output()).toMatch(/is not in the SQLite store at .*SQLite is for one machine/);
  bench.startWorker();
  expect((await ingest.result).json.at(-1)).toMatchObject({
    state: 'done',
    chunks: { embedded: 3 },
    deadLetters: 0,
  });
  stranger.process.kill('SIGTERM');
  expect((await stranger.result).code).toBe(0);
});

describe('runs that are stopped', () => {
  test('Ctrl-C marks the run interrupted, sweeps nothing, and the next ingest does only the rest', async () => {
    const bench = await testBench();
    const file = await writeCorpus(bench, 600);
    const ledger = new RunLedger({ redis: testRedis(), prefix: bench.prefix });
    const ingest = bench.start(['ingest', file, '--collection', 'docs', '--workers', '1', '--json']);
    await until('a batch is done', async () => ((await latestRun(ledger))?.workers.batchesDone ?? 0) >= 1);
    ingest.process.kill('SIGINT');
    expect((await ingest.result).code).toBe(130);
    const interrupted = await latestRun(ledger);
    expect(interrupted).toMatchObject({ state: 'interrupted', message: 'stopped by SIGINT' });
    const rest = await bench.run(['ingest', file, '--collection', 'docs', '--workers', '2', '--json']);
    const summary = rest.json.at(-1) as { chunks: { embedded: number; skipped: number } };
    expect(summary).toMatchObject({ state: 'done', chunks: { total: 600 } });
    expect(summary.chunks.skipped).toBeGreaterThan(0);
    expect(summary.chunks.embedded + summary.chunks.skipped).toBe(600);
    expect(comparable(await storedPoints(bench.directory, 'docs'))).toEqual(await undisturbed(600));
  });

  test('an ingest that is killed takes the workers that it started along', async () => {
    const bench = await testBench();
    const file = await writeCorpus(bench, 600);
    const redis = testRedis();
    const ingest = bench.start(['ingest', file, '--collection', 'docs', '--workers', '1']);
    const connected = () => connectedWorkers(redis, bench.prefix);
    await until('its worker is connected', async () => (await connected()).length === 1);
    const pid = Number(/-(\d+)-[0-9a-f]{8}$/.exec((await connected())[0]?.workerId ?? '')?.[1]);
    ingest.process.kill('SIGKILL');
    await until('the worker is gone', () => !isAlive(pid));
  });

  test('a second ingest of the pipeline is refused with the owner, or waits', async () => {
    const bench = await testBench();
    const file = await writeCorpus(bench, 5);
    const ledger = new RunLedger({ redis: testRedis(), prefix: bench.prefix });
    const first = bench.start(['ingest', file, '--collection', 'docs', '--json']);
    await until('the first run exists', async () => (await latestRun(ledger)) !== undefined);
    const refused = await bench.run(['ingest', file, '--collection', 'docs']);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/being ingested by run .*process \d+ on .*since/) as string,
    });
    const waiting = bench.start(['ingest', file, '--collection', 'docs', '--wait', '--json']);
    await until('the second waits', () => waiting.output().includes('being ingested'));
    bench.startWorker();
    expect((await first.result).code).toBe(0);
    expect((await waiting.result).json.at(-1)).toMatchObject({ state: 'done', chunks: { skipped: 5 } });
  });

  test('a run without workers says so, with the command that starts one', async () => {
    const bench = await testBench();
    const file = await writeCorpus(bench, 2);
    const ingest = bench.start(['ingest', file, '--collection', 'docs', '--json']);
    await until('it says what it waits for', () => ingest.output().includes('npx embedline-worker'));
    const { json } = await bench.run(['status', '--json']);
    expect(json).toMatchObject([
      {
        pipeline: 'docs',
        state: 'running',
        batches: { total: 1, done: 0, failed: 0 },
        waitingFor: expect.stringContaining('a worker') as string,
      },
    ]);
    bench.startWorker();
    expect((await ingest.result).code).toBe(0);
  });

  test('a Redis that lost the run is noticed, and ingesting again converges', async () => {
    const bench = await testBench();
    const file = await writeCorpus(bench, 20);
    const redis = connectRedis({ url: inject('redisUrl'), role: 'producer' });
    const ledger = new RunLedger({ redis, prefix: bench.prefix });
    const ingest = bench.start(['ingest', file, '--collection', 'docs', '--json']);
    await until('the run is sealed', async () => (await latestRun(ledger))?.sealed === true);
    const keys = await redis.keys(`${bench.prefix}*`);
    await redis.del(...keys);
    const lost = await ingest.result;
    redis.disconnect();
    expect(lost).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/Redis has lost .*ingest again/is) as string,
    });
    const again = await bench.run(['ingest', file, '--collection', 'docs', '--workers', '1', '--json']);
    expect(again.json.at(-1)).toMatchObject({ state: 'done', chunks: { total: 20 } });
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(20);
  });
});

import { setTimeout as delay } from 'node:timers/promises';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunLedger } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { jsonl, testBench, type RunningCli, type TestBench } from '../support/cli.ts';
import { startHttpProxy, type HttpFault, type HttpProxy } from '../support/http-proxy.ts';
import { privateRedis } from '../support/private-redis.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const PACED_WORKER = fileURLToPath(new URL('../support/paced-worker.ts', import.meta.url));
const DOWN: HttpFault = { kind: 'reset-before' };

async function qdrantBehindProxy(): Promise<HttpProxy> {
  const double = await startQdrantDouble();
  const proxy = await startHttpProxy(double.url);
  onTestFinished(async () => {
    await proxy.close();
    await double.close();
  });
  return proxy;
}

async function writeCorpus({ directory }: TestBench, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, index) => ({ id: `d${index}`, text: `Text ${index}.` }));
  await writeFile(join(directory, 'docs.jsonl'), jsonl(records));
}

/** Lines that a program logged about waiting, by their text without counters. */
function waitingLines(program: RunningCli): string[] {
  return program
    .output()
    .split('\n')
    .filter((line) => /waiting|trouble|Redis at/i.test(line));
}

const waitingFor = async (bench: TestBench) =>
  String((await bench.run(['status', '--json'])).json[0]?.['waitingFor']);

describe('Qdrant', { timeout: 180_000 }, () => {
  test('down at start: a worker waits for it; an ingest, which a person waits for, says so and ends', async () => {
    const proxy = await qdrantBehindProxy();
    proxy.setFault(DOWN);
    const bench = await testBench({ QDRANT_URL: proxy.url });
    await writeCorpus(bench, 50);
    const worker = bench.startProgram(PACED_WORKER);
    const refused = await bench.run(['ingest', 'docs.jsonl', '--collection', 'docs']);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /Qdrant at .* cannot be reached .*Start it, or correct QDRANT_URL/,
      ) as string,
    });
    await until('the worker waits', () => waitingLines(worker).length > 0);
    proxy.setFault(null);
    const { code, json } = await bench.run(['ingest', 'docs.jsonl', '--collection', 'docs', '--json']);
    expect(code).toBe(0);
    expect(json.at(-1)).toMatchObject({ state: 'done', chunks: { embedded: 50 }, deadLetters: 0 });
  });

  test('down in the middle: a line in ten seconds, no attempt used up, status says since when', async () => {
    const proxy = await qdrantBehindProxy();
    const bench = await testBench({ QDRANT_URL: proxy.url });
    await writeCorpus(bench, 2_000);
    const ledger = new RunLedger({ redis: testRedis(), prefix: bench.prefix });
    const worker = bench.startProgram(PACED_WORKER, { PACED_MS_PER_TEXT: '2' });
    const ingest = bench.start(['ingest', 'docs.jsonl', '--collection', 'docs', '--json']);
    await until('a batch is done', async () => ((await ledger.list(1))[0]?.workers.batchesDone ?? 0) > 0);
    proxy.setFault(DOWN);
    const downAtMs = Date.now();
    await until('it is noticed', () => waitingLines(worker).length > 0);
    expect(await waitingFor(bench)).toMatch(/^Qdrant at .* \(since \d\d:\d\d:\d\d UTC\)$/);
    // Long enough for retries to be many and lines to be few.
    await until('it has lasted', () => waitingLines(worker).length >= 3);
    const seconds = (Date.now() - downAtMs) / 1000;
    expect(seconds).toBeGreaterThan(20);
    expect(proxy.disturbed).toBeGreaterThan(5);
    proxy.setFault(null);
    const { code, json } = await ingest.result;
    expect(code).toBe(0);
    expect(json.at(-1)).toMatchObject({ state: 'done', chunks: { embedded: 2_000 }, deadLetters: 0 });
    expect(worker.output()).toContain('What was waited for is back');
    expect(worker.output()).not.toContain('Gave up');
  });
});

/** A worker whose Redis has gone, and who knows it. */
async function workerWithoutRedis(graceSeconds: number) {
  const server = await privateRedis();
  const bench = await testBench({ REDIS_URL: server.url });
  const worker = bench.startWorker(['--concurrency', '1', '--grace', String(graceSeconds)]);
  await until('it is ready', () => worker.output().includes('Worker is ready'));
  await server.kill();
  await until('it notices', () => waitingLines(worker).length > 0);
  return { server, worker };
}

describe('Redis', { timeout: 180_000 }, () => {
  test('away: a worker that is told to stop does so within its grace time', async () => {
    const { server, worker } = await workerWithoutRedis(1);
    worker.process.kill('SIGTERM');
    const { code, stderr } = await worker.result;
    expect(code).toBe(0);
    expect(stderr).toContain('goes to others once its locks have run out');
    await server.start();
  });

  test('away: a second signal ends a worker at once, whatever time it was given', async () => {
    const { server, worker } = await workerWithoutRedis(600);
    worker.process.kill('SIGTERM');
    await until('it has heard', () => worker.output().includes('SIGTERM'));
    // Any sooner, it is the first signal once more.
    await delay(1_100);
    worker.process.kill('SIGTERM');
    expect((await worker.result).code).toBe(143);
    await server.start();
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunLedger, runKeys } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { unpackRelease } from '../support/release.ts';
import { testRedis } from '../support/redis.ts';
import { comparable, storedPoints } from '../support/stored.ts';
import { until } from '../support/temporary.ts';

const MODELS = fileURLToPath(new URL('../fixtures/tiny-models', import.meta.url));
const INGEST = ['ingest', 'docs.jsonl', '--collection', 'docs', '--model', 'steady', '--json'];
const CHUNKS = 600;

/** A machine with a corpus of three batches, and the programs of 0.1.0 beside the present ones. */
async function fleet() {
  const bench = await testBench({ EMBEDLINE_MODELS: MODELS });
  const records = Array.from({ length: CHUNKS }, (_, index) => ({
    id: `d${index}`,
    text: `the quick brown fox . about ${index} lines`,
  }));
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(records));
  const old = await unpackRelease('0.1.0');
  const ledger = new RunLedger({ redis: testRedis(), prefix: bench.prefix });
  const run = async () => (await ledger.list(1))[0];
  return { bench, old, run, ledger };
}

/** What the corpus comes to, by this version alone. */
async function expected(bench: TestBench) {
  const other = await testBench({ EMBEDLINE_MODELS: MODELS });
  const file = join(bench.directory, 'docs.jsonl');
  const { code, stderr } = await other.run([...INGEST.with(1, file), '--workers', '1']);
  expect(code, stderr).toBe(0);
  return comparable(await storedPoints(other.directory, 'docs'));
}

const DONE = { state: 'done', chunks: { total: CHUNKS, embedded: CHUNKS }, deadLetters: 0 };

/** Without what depends on how tokens are counted: 0.1.0 left the model's prefix out. */
function unlessCounted(points: unknown): unknown {
  const counted = new Set(['tokens', 'payloadHash', 'digest']);
  return JSON.parse(
    JSON.stringify(points, (name, value: unknown) => (counted.has(name) ? undefined : value)),
  ) as unknown;
}

describe('a fleet that is updated', () => {
  test(
    'workers first: new and old workers share the run of an old producer',
    { timeout: 180_000 },
    async () => {
      const { bench, old, run } = await fleet();
      const ingest = bench.startProgram(old.producer, {}, INGEST);
      await until('all batches wait', async () => (await run())?.sealed === true);
      expect((await run())?.spec.version).toBe(1);
      bench.startWorker();
      await until('the new one has begun', async () => ((await run())?.workers.batchesDone ?? 0) > 0);
      bench.startProgram(old.worker, {}, ['--concurrency', '1']);
      const { code, json, stderr } = await ingest.result;
      expect(code, stderr).toBe(0);
      expect(json.at(-1)).toMatchObject(DONE);
      expect(unlessCounted(comparable(await storedPoints(bench.directory, 'docs')))).toEqual(
        unlessCounted(await expected(bench)),
      );
    },
  );

  test('the producer first: an old worker destroys nothing, status names it, a new one does the work', async () => {
    const { bench, old, run, ledger } = await fleet();
    const outdated = bench.startProgram(old.worker, {}, ['--concurrency', '1']);
    await until('the old worker is ready', () => outdated.output().includes('Worker is ready'));
    const ingest = bench.start(INGEST);
    await until('all batches wait', async () => (await run())?.sealed === true);
    const { json: status } = await bench.run(['status', '--json']);
    expect(status[0]).toMatchObject({
      state: 'running',
      batches: { done: 0 },
      deadLetters: 0,
      waitingFor: expect.stringMatching(
        /a worker of a newer version: .*\(version 0\.1\.0\).*Update/,
      ) as string,
      outdatedWorkers: [{ version: '0.1.0' }],
    });
    bench.startWorker();
    const { code, json, stderr } = await ingest.result;
    expect(code, stderr).toBe(0);
    expect(json.at(-1)).toMatchObject(DONE);
    expect((await run())?.byWorker).toHaveLength(1);
    expect(await ledger.deadLetters((await run())?.spec.runId ?? '')).toEqual([]);
    expect(comparable(await storedPoints(bench.directory, 'docs'))).toEqual(await expected(bench));
    outdated.process.kill('SIGTERM');
    expect((await outdated.result).code).toBe(0);
  });

  test('an old run that its producer did not survive is cleared away by the next ingest', async () => {
    const { bench, old, run } = await fleet();
    const redis = testRedis();
    const killed = bench.startProgram(old.producer, {}, INGEST);
    await until('all batches wait', async () => (await run())?.sealed === true);
    killed.process.kill('SIGKILL');
    await killed.result;
    const ingest = bench.start(INGEST);
    await until('another run began', async () => (await run())?.spec.version === 2);
    const { sharedQueueName } = runKeys(bench.prefix);
    await until('nothing waits in the old queue', async () => {
      return (await redis.llen(`${bench.prefix}:${sharedQueueName}:wait`)) === 0;
    });
    bench.startWorker();
    expect((await ingest.result).json.at(-1)).toMatchObject(DONE);
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  connectRedis,
  loadConfig,
  RunLedger,
  Schedules,
  startIngestJobs,
  type RedisConnection,
  type StoredPoint,
} from '@embedline/core';
import { expect, onTestFinished } from 'vitest';
import { jsonl, testBench, type TestBench } from './cli.ts';
import { comparable, fromScratch } from './expected-points.ts';
import { storedPoints } from './stored.ts';
import { until } from './temporary.ts';

const PACED_WORKER = fileURLToPath(new URL('./paced-worker.ts', import.meta.url));
const TEXTS = 2_000;

async function writeCorpus({ directory }: TestBench): Promise<void> {
  // One chunk each.
  const records = Array.from({ length: TEXTS }, (_, index) => ({ id: `d${index}`, text: `Text ${index}.` }));
  await writeFile(join(directory, 'docs.jsonl'), jsonl(records));
}

const INGEST = ['ingest', 'docs.jsonl', '--collection', 'docs', '--json'];

/** All but the numbers of tokens, and the hashes of them: what the corpus comes to is made without the model's tokenizer. */
function withoutTokens(points: Record<string, unknown>): Record<string, unknown> {
  const chunks = Object.entries(points as Record<string, StoredPoint['chunk']>);
  return Object.fromEntries(
    chunks.map(([id, { documentId, chunkIndex, text, textHash }]) => [
      id,
      { documentId, chunkIndex, text, textHash },
    ]),
  );
}

/** Takes requests for ingests, over a connection that blocks while there are none, and says which it got. */
function serve({ prefix }: TestBench, connect: () => RedisConnection) {
  const [redis, connection] = [connect(), connect()];
  const asked = new Set<string>();
  const jobs = startIngestJobs({
    redis,
    connection,
    prefix,
    execute: ({ pipeline }) => {
      asked.add(pipeline);
      return Promise.resolve({ outcome: 'done', runId: null, message: null });
    },
    onError: () => undefined,
  });
  const schedules = new Schedules({ connection: redis, prefix });
  onTestFinished(async () => {
    await jobs.close();
    await schedules.close();
    for (const each of [redis, connection]) each.disconnect();
  });
  return {
    request: async (pipeline: string) => {
      await schedules.request(pipeline, {});
      await until(`the request "${pipeline}" was taken`, () => asked.has(pipeline));
    },
  };
}

/**
 * An ingest, and two workers who share its work, lose the server that holds their keys in the middle of it.
 * @param strike ends that server, and returns once another one has taken its place
 */
export async function surviveFailover(
  env: Record<string, string>,
  strike: (prefix: string) => Promise<void>,
): Promise<TestBench> {
  const bench = await testBench(env);
  await writeCorpus(bench);
  const { redisUrl, redisAccess } = loadConfig(bench.env);
  const redis = connectRedis({ url: redisUrl ?? '', access: redisAccess, role: 'worker' });
  onTestFinished(() => redis.disconnect());
  const ledger = new RunLedger({ redis, prefix: bench.prefix });
  const paced = { PACED_MS_PER_TEXT: '4', PACED_LOCK_MS: '6000' };
  const workers = [1, 2].map(() => bench.startProgram(PACED_WORKER, paced));
  const serving = serve(bench, () =>
    connectRedis({ url: redisUrl ?? '', access: redisAccess, role: 'worker' }),
  );
  const ingest = bench.start(INGEST);
  const done = async () => (await ledger.list(1))[0]?.workers.batchesDone ?? 0;
  await until('some batches are done', async () => (await done()) >= 2);
  await serving.request('before');
  await strike(bench.prefix);
  await serving.request('after');
  const { code, json, stderr } = await ingest.result;
  const told = [stderr, ...workers.map((worker) => worker.output())].join('\n');
  expect(code, told).toBe(0);
  expect(json.at(-1)).toMatchObject({
    state: 'done',
    chunks: { total: TEXTS, embedded: TEXTS },
    deadLetters: 0,
  });
  const model = (await ledger.list(1))[0]?.spec.model;
  if (model === undefined) throw new Error('the run is not listed');
  const names = { collection: 'docs', pipeline: 'docs', sources: ['docs.jsonl'] };
  const stored = comparable(await storedPoints(bench.directory, 'docs'), 'docs', model);
  expect(withoutTokens(stored)).toEqual(
    withoutTokens(await fromScratch({ ...names, cwd: bench.directory, model, maxTokens: 256 })),
  );
  for (const worker of workers) {
    expect(worker.process.exitCode, told).toBeNull();
    worker.process.kill('SIGTERM');
    expect(await worker.result, told).toMatchObject({ code: 0 });
  }
  return bench;
}

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBatchQueue, runKeys, RunLedger, type RedisConnection } from '@embedline/core';
import { expect, test } from 'vitest';
import { Enqueuer } from '../../apps/producer/src/ingest/enqueue.ts';
import { newRunCounts } from '../../apps/producer/src/ingest/run-counts.ts';
import { UnfinishedBatches } from '../../apps/producer/src/ingest/unfinished-batches.ts';
import { jsonl, testBench } from '../support/cli.ts';
import { chunkOf, MANIFEST } from '../support/points.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { storedPoints } from '../support/stored.ts';
import { until } from '../support/temporary.ts';

const PACED_WORKER = fileURLToPath(new URL('../support/paced-worker.ts', import.meta.url));

/** What a power cut does to jobs that were acknowledged and had not reached the disk. */
async function loseJobs(redis: RedisConnection, prefix: string, runId: string): Promise<number> {
  const queue = `${prefix}:${runKeys(prefix).queueName(runId)}`;
  const ids = await redis.lrange(`${queue}:wait`, 0, -1);
  await redis.del(`${queue}:wait`, ...ids.map((id) => `${queue}:${id}`));
  return ids.length;
}

test('jobs and a seal that Redis had acknowledged and lost are written again, and the run ends well', async () => {
  const bench = await testBench();
  const records = Array.from({ length: 600 }, (_, index) => ({ id: `d${index}`, text: `Text ${index}.` }));
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(records));
  const redis = testRedis();
  const ledger = new RunLedger({ redis, prefix: bench.prefix });
  const ingest = bench.start(['ingest', 'docs.jsonl', '--collection', 'docs', '--json']);
  await until('the run is sealed', async () => (await ledger.list(1))[0]?.sealed === true);
  const [run] = await ledger.list(1);
  await redis.hdel(runKeys(bench.prefix).run(run?.spec.runId ?? ''), 'sealed', 'batchesTotal');
  expect(await loseJobs(redis, bench.prefix, run?.spec.runId ?? '')).toBe(3);
  bench.startProgram(PACED_WORKER);
  const { code, json, stderr } = await ingest.result;
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('Redis had lost 3 batches of the run');
  expect(json.at(-1)).toMatchObject({ state: 'done', chunks: { total: 600, embedded: 600 } });
  expect((await storedPoints(bench.directory, 'docs')).size).toBe(600);
});

test('a producer that waits for room in a queue that has lost its jobs queues them again', async () => {
  const [redis, prefix, runId] = [testRedis(), testPrefix(), 'run-1'];
  const ledger = new RunLedger({ redis, prefix });
  const place = { pipeline: 'docs', collection: 'docs', storeKind: 'sqlite' } as const;
  const generation = { collection: 'docs', name: 'docs--g1-00000000', identity: 'x' };
  await ledger.create({ ...place, runId, generation, model: MANIFEST.model, runSequence: 1 });
  const queue = createBatchQueue({ connection: redis, prefix });
  const counts = newRunCounts();
  const { signal } = new AbortController();
  const notices: string[] = [];
  const onNotice = (text: string) => void notices.push(text);
  const unfinished = new UnfinishedBatches({ runId, queue, ledger, signal, onNotice, mendEveryMs: 50 });
  const limits = { maxQueuedBatches: 2, maxQueuedBytes: Infinity };
  const enqueuer = new Enqueuer({ runId, unfinished, ledger, counts, signal, limits });
  const chunks = Array.from({ length: 3 * 256 }, (_, index) => chunkOf(`d${index}`, `Text ${index}.`));
  const adding = enqueuer.add(chunks).then(() => enqueuer.flush());
  await until('there is no room', () => unfinished.count === 2);
  expect(await loseJobs(redis, prefix, runId)).toBe(2);
  await until('they are queued again', () => notices.length > 0);
  expect(await queue.unattended(runId, [0, 1])).toEqual({ missing: [], failed: [] });
  for (const batchIndex of [0, 1]) {
    const result = { chunksEmbedded: 256, tokensEmbedded: 0, bytes: 0 };
    await ledger.completeBatch({ runId, batchIndex, workerId: 'w', result, deadLetters: [] });
  }
  await adding;
  expect(counts.batchesTotal).toBe(3);
  await queue.close();
});

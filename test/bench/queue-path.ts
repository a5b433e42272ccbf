import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBatchQueue, Releasers, RunLedger, type ChunkRecord, type ModelSpec } from '@embedline/core';
import { Enqueuer } from '../../apps/producer/src/ingest/enqueue.ts';
import { newRunCounts } from '../../apps/producer/src/ingest/run-counts.ts';
import { UnfinishedBatches } from '../../apps/producer/src/ingest/unfinished-batches.ts';
import { waitForBatches } from '../../apps/producer/src/ingest/wait-for-batches.ts';
import { chunkOf } from '../support/points.ts';
import { killProcess } from '../support/kill-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { releaseOnSignal } from '../support/release-on-signal.ts';

const PROGRAM = fileURLToPath(new URL('./queue-worker.ts', import.meta.url));
const PREFIX = '{bench}';

export interface QueuePathOptions {
  readonly workers: number;
  readonly chunks: number;
  readonly model: ModelSpec;
}

/**
 * Chunks a second from one producer through Redis to workers that decode and count them, and neither compute nor store:
 * batched, encoded, queued under backpressure, taken, checked and counted as in an ingest.
 */
export async function measureQueuePath({ workers, chunks, model }: QueuePathOptions): Promise<number> {
  await using releasers = new Releasers();
  releaseOnSignal(releasers);
  const directory = await mkdtemp(join(tmpdir(), 'embedline-bench-'));
  releasers.add(() => rm(directory, { recursive: true, force: true }));
  const server = releasers.own(await startRedisServer(directory));
  await Promise.all(Array.from({ length: workers }, () => startWorker(server.url, releasers)));
  const redis = server.connect();
  releasers.add(() => redis.disconnect());
  const runId = 'bench';
  const ledger = new RunLedger({ redis, prefix: PREFIX });
  await ledger.create({
    runId,
    pipeline: 'docs',
    collection: 'docs',
    storeKind: 'sqlite',
    generation: { collection: 'docs', name: 'docs--g1-00000000', identity: 'none' },
    model,
    runSequence: 1,
  });
  const queue = releasers.own(createBatchQueue({ connection: redis, prefix: PREFIX }));
  const counts = newRunCounts();
  const { signal } = new AbortController();
  const unfinished = new UnfinishedBatches({ runId, queue, ledger, signal });
  const enqueuer = new Enqueuer({ runId, unfinished, ledger, counts, signal });
  const windows = Math.ceil(chunks / 1000);
  const startedAt = performance.now();
  for (let window = 0; window < windows; window += 1) await enqueuer.add(windowOf(window));
  await enqueuer.flush();
  await waitForBatches({ runId, ledger, unfinished, counts, signal });
  return (windows * 1000) / ((performance.now() - startedAt) / 1000);
}

function windowOf(window: number): ChunkRecord[] {
  return Array.from({ length: 1000 }, (_, index) => {
    const number = window * 1000 + index;
    return chunkOf(`document-${number}`, `Text ${number} of the benchmark, as long as a short sentence is.`);
  });
}

async function startWorker(redisUrl: string, releasers: Releasers): Promise<ChildProcess> {
  const env = { ...process.env, REDIS_URL: redisUrl, EMBEDLINE_PREFIX: PREFIX };
  const worker = fork(PROGRAM, { env, execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  releasers.add(() => killProcess(worker));
  await once(worker, 'message');
  return worker;
}

import { hostname } from 'node:os';
import {
  acquireRunLock,
  chunkRecordsOf,
  describeLockHolder,
  EmbedlineError,
  messageOf,
  nextRunSequence,
  Releasers,
  type BatchQueue,
  type ChunkRecord,
  type EmbedJob,
  type RedisConnection,
  type RunLedger,
  type RunProgress,
  type RunSpec,
  type SigningKeys,
  type VectorStore,
} from '@embedline/core';
import { createAwaitedChunks } from './awaited-chunks.ts';
import { chunksMissing } from './chunks-missing.ts';
import { Enqueuer } from './enqueue.ts';
import type { LocalWorkers } from './local-workers.ts';
import { newRunCounts } from './run-counts.ts';
import { newRunId } from './run-id.ts';
import { UnfinishedBatches } from './unfinished-batches.ts';
import { waitForBatches } from './wait-for-batches.ts';

export interface RetryOptions {
  /** The run whose dead letters are tried again. */
  readonly failed: RunSpec;
  /** Jobs of one chunk each, by the key of their dead letter. */
  readonly jobs: ReadonlyMap<string, EmbedJob>;
  readonly store: VectorStore;
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly ledger: RunLedger;
  readonly queue: BatchQueue;
  readonly startWorkers: (run: RunSpec) => LocalWorkers | null;
  readonly onStart: (run: RunSpec) => void;
  readonly signal: AbortSignal;
  readonly signingKeys?: SigningKeys | null | undefined;
}

/**
 * Tries chunks that were given up on again, as a run of their own: whatever fails once more is a dead letter of that
 * one. Needs the queue and the store, not the corpus, so any machine will do.
 * @throws EmbedlineError RUN_SUPERSEDED, RUN_LOCKED
 */
export async function retryFailed(options: RetryOptions): Promise<RunProgress> {
  const { failed, jobs, ledger } = options;
  await using releasers = new Releasers();
  const runId = newRunId();
  const lock = await lockPipeline(runId, options);
  releasers.add(() => lock.release());
  // Its record is acted on.
  await ledger.spec(failed.runId);
  await assertNewest(options);
  const spec = await ledger.create({
    ...failed,
    runId,
    runSequence: await nextRunSequence(options.redis, options.prefix),
  });
  options.onStart(spec);
  const workers = options.startWorkers(spec);
  if (workers !== null) releasers.add(() => workers.close());
  const others = workers === null ? [] : [workers.signal];
  try {
    await embedAgain(spec, AbortSignal.any([options.signal, lock.signal, ...others]), options);
    await ledger.end(runId, 'done', null);
    await ledger.dropDeadLetters(failed.runId, [...jobs.keys()]);
  } catch (error) {
    const interrupted = options.signal.aborted;
    await ledger
      .end(runId, interrupted ? 'interrupted' : 'failed', interrupted ? null : messageOf(error))
      .catch(() => undefined);
    throw error;
  } finally {
    // If that fails, workers or the next ingest of the pipeline drop it.
    await options.queue.removeRun(runId).catch(() => undefined);
  }
  const progress = await ledger.progress(runId);
  if (progress === null) throw new EmbedlineError('RUN_LOST', `Redis has lost run ${runId}. Ingest again.`);
  return progress;
}

async function embedAgain(
  { runId, pipeline }: RunSpec,
  signal: AbortSignal,
  { failed, jobs, ledger, queue, store, signingKeys }: RetryOptions,
): Promise<void> {
  const counts = newRunCounts();
  const unfinished = new UnfinishedBatches({ runId, queue, ledger, signal, signingKeys });
  const enqueuer = new Enqueuer({ runId, unfinished, ledger, counts, signal });
  const chunks = [...jobs.values()].flatMap((job) => chunkRecordsOf(job, pipeline));
  counts.chunksTotal = chunks.length;
  await enqueuer.add(chunks);
  await enqueuer.flush();
  const { workers } = await waitForBatches({ runId, ledger, unfinished, counts, signal });
  const missing = await countMissing(chunks, failed.generation, store, signal);
  if (missing > workers.chunksGivenUp)
    throw chunksMissing(failed.generation.name, missing - workers.chunksGivenUp);
}

/** Of some chunks, those without a point of their text. */
async function countMissing(
  chunks: readonly ChunkRecord[],
  generation: RunSpec['generation'],
  store: VectorStore,
  signal: AbortSignal,
): Promise<number> {
  await using releasers = new Releasers();
  const awaited = releasers.own(createAwaitedChunks());
  const points = releasers.own(await store.open(generation, { signal }));
  awaited.add(chunks);
  let missing = 0;
  for await (const page of awaited.givenUp(points, signal)) missing += page.length;
  return missing;
}

/** As whoever writes in place does: see claim-target.ts. */
async function lockPipeline(runId: string, { failed, redis, prefix }: RetryOptions) {
  const owner = { host: hostname(), pid: process.pid, runId };
  const lock = await acquireRunLock({ redis, prefix, scope: `pipeline:${failed.pipeline}`, owner });
  const builder = await describeLockHolder({ redis, prefix, scope: `collection:${failed.collection}` });
  if (builder === null) return lock;
  await lock.release();
  throw new EmbedlineError('RUN_LOCKED', builder);
}

/** Only what nothing has overtaken: a later ingest has compared everything again, and a new generation is another one. */
async function assertNewest({ failed, ledger, store }: RetryOptions): Promise<void> {
  const { value: newest } = await ledger.index.newestFirst(failed.pipeline, 1).next();
  if (newest !== undefined && newest.spec.runId !== failed.runId) {
    throw new EmbedlineError(
      'RUN_SUPERSEDED',
      `Run ${failed.runId} is not the newest of pipeline ${failed.pipeline}: run ${newest.spec.runId} came after it, and has its ` +
        `own dead letters (embedline failed list --run ${newest.spec.runId}). Ingest again to try what is missing.`,
    );
  }
  const live = (await store.generations(failed.collection)).find((generation) => generation.live);
  if (live?.identity === failed.generation.identity) return;
  throw new EmbedlineError(
    'RUN_SUPERSEDED',
    `Run ${failed.runId} wrote to ${failed.generation.name}, which is not what readers of ${failed.collection} see now. ` +
      `Ingest again to try what is missing.`,
  );
}

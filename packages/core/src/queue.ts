import { setTimeout as delay } from 'node:timers/promises';
import { Queue, type JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { EmbedlineError, messageOf } from './errors.ts';
import { jobBytes, jobId, parseJobId, type EmbedJob } from './job.ts';
import { runKeys } from './run/run-keys.ts';

/**
 * Settings of the BullMQ worker, each with its reason (hazards section 1):
 * a dead worker's batch is back within lockDuration + stalledInterval (B4); a batch survives 20 worker deaths, since
 * spot machines die often (B5), but one that is started 30 times without end kills its workers and is given up on.
 */
export const batchWorkerSettings = Object.freeze({
  lockDuration: 30_000,
  stalledInterval: 10_000,
  maxStalledCount: 20,
  maxStartedAttempts: 30,
  drainDelay: 5,
});

/** Outages are waited out inside the worker, so attempts are for the unforeseen; back-off with jitter, 1 s and up. */
const JOB_OPTIONS: JobsOptions = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 1000, jitter: 0.5 },
  removeOnComplete: { age: 3600, count: 1000 },
  removeOnFail: { age: 7 * 24 * 3600, count: 10_000 },
  stackTraceLimit: 3,
};

/** One addBulk holds at most so much: it is a pipeline, not a transaction, and blocks Redis while it runs (B19, B20). */
const MAX_SLICE_JOBS = 200;
const MAX_SLICE_BYTES = 4 * 1024 * 1024;

export interface BatchQueueOptions {
  readonly connection: Redis;
  readonly prefix: string;
  /** Told when Redis refuses jobs for now (full, read-only), with the reason; null when it takes them again. */
  readonly onRefused?: (reason: string | null) => void;
}

export interface FailedBatch {
  readonly batchIndex: number;
  readonly reason: string;
  readonly data: unknown;
  readonly attempts: number;
}

/** The queue of batches, as the producer sees it. */
export interface BatchQueue {
  /** Adds jobs; returns when Redis has them all. Adding one twice adds it once. */
  enqueue(jobs: readonly EmbedJob[], options?: { signal?: AbortSignal }): Promise<void>;
  /** Which of these batches Redis has no job for. */
  missing(runId: string, batchIndexes: readonly number[]): Promise<number[]>;
  /** Batches of a run that BullMQ gave up on. */
  failed(runId: string): Promise<FailedBatch[]>;
  /** Takes a run's jobs that no worker has begun out of the queue. */
  removeWaiting(runId: string): Promise<number>;
  close(): Promise<void>;
}

export function createBatchQueue(options: BatchQueueOptions): BatchQueue {
  const queue = new Queue(runKeys(options.prefix).queueName, {
    connection: options.connection,
    prefix: options.prefix,
    defaultJobOptions: JOB_OPTIONS,
  });
  // Without a listener an 'error' event would end the process; the connection reports its own trouble.
  queue.on('error', () => undefined);
  return {
    enqueue: async (jobs, { signal } = {}) => {
      for (const slice of slices(jobs)) await addSlice(queue, slice, options, signal);
    },
    missing: async (runId, batchIndexes) => {
      const found = await Promise.all(batchIndexes.map((index) => queue.getJob(jobId(runId, index))));
      return batchIndexes.filter((_, position) => found[position] === undefined);
    },
    failed: async (runId) => {
      const jobs = await queue.getFailed();
      return jobs.flatMap((job) => {
        const id = parseJobId(job.id ?? '');
        if (id === null || id.runId !== runId) return [];
        return [
          { batchIndex: id.batchIndex, reason: job.failedReason, data: job.data, attempts: job.attemptsMade },
        ];
      });
    },
    removeWaiting: (runId) => removeWaiting(queue, runId),
    close: () => queue.close(),
  };
}

async function addSlice(
  queue: Queue,
  jobs: readonly EmbedJob[],
  { onRefused }: BatchQueueOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bulk = jobs.map((job) => ({
    name: 'embed',
    data: job,
    opts: { jobId: jobId(job.runId, job.batchIndex) },
  }));
  for (let delayMs = 250, refused = false; ; delayMs = Math.min(delayMs * 2, 5000)) {
    signal?.throwIfAborted();
    try {
      await queue.addBulk(bulk);
      if (refused) onRefused?.(null);
      return;
    } catch (error) {
      const reason = refusalReason(error);
      if (reason === null) throw unreachable(error);
      onRefused?.(reason);
      refused = true;
      await delay(delayMs, undefined, signal === undefined ? {} : { signal });
    }
  }
}

/** What Redis says while it cannot take writes but will again; the ids are deterministic, so the whole slice is tried again. */
function refusalReason(error: unknown): string | null {
  const message = messageOf(error);
  if (message.startsWith('OOM')) return 'Redis is at its maxmemory';
  if (/^(READONLY|LOADING|MASTERDOWN|MISCONF|CLUSTERDOWN)/.test(message))
    return `Redis takes no writes (${message})`;
  return null;
}

function unreachable(cause: unknown): EmbedlineError {
  return new EmbedlineError(
    'REDIS_UNREACHABLE',
    `Jobs could not be added to the queue: ${messageOf(cause)}. Check that Redis runs and ingest again.`,
    { cause, retryable: true },
  );
}

function* slices(jobs: readonly EmbedJob[]): Generator<EmbedJob[]> {
  let slice: EmbedJob[] = [];
  let bytes = 0;
  for (const job of jobs) {
    const size = jobBytes(job);
    if (slice.length > 0 && (slice.length >= MAX_SLICE_JOBS || bytes + size > MAX_SLICE_BYTES)) {
      yield slice;
      slice = [];
      bytes = 0;
    }
    slice.push(job);
    bytes += size;
  }
  if (slice.length > 0) yield slice;
}

async function removeWaiting(queue: Queue, runId: string): Promise<number> {
  let removed = 0;
  const jobs = await queue.getJobs(['waiting', 'delayed', 'prioritized']);
  for (const job of jobs) {
    if (parseJobId(job.id ?? '')?.runId !== runId) continue;
    // A worker may take the job in this very moment: then it stays, which is harmless.
    const gone = await job.remove().then(
      () => true,
      () => false,
    );
    if (gone) removed += 1;
  }
  return removed;
}

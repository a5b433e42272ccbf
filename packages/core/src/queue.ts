import { setTimeout as delay } from 'node:timers/promises';
import { Queue, type JobsOptions, type JobType } from 'bullmq';
import type { Redis } from 'ioredis';
import { EmbedlineError, messageOf } from './errors.ts';
import { jobBytes, jobId, parseJobId, type EmbedJob } from './job.ts';
import { IMPATIENT, type Patience } from './outages.ts';
import { redisFailure, refusalReason } from './run/redis-failure.ts';
import { runKeys } from './run/run-keys.ts';

export const DEFAULT_LOCK_DURATION_MS = 30_000;

/**
 * Settings of the BullMQ worker, each with its reason (hazards section 1):
 * a dead worker's batch is back within lockDuration + stalledInterval (B4), that is 4/3 of the lock's duration; a batch
 * survives 20 worker deaths, since spot machines die often (B5), but one that is started 30 times without end kills its
 * workers and is given up on.
 */
export function batchWorkerSettings(lockDurationMs: number) {
  return {
    lockDuration: lockDurationMs,
    stalledInterval: Math.ceil(lockDurationMs / 3),
    maxStalledCount: 20,
    maxStartedAttempts: 30,
    drainDelay: 5,
  };
}

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
const IDS_PER_PAGE = 1000;

/**
 * In these a job is still to be dealt with, by a worker or, when it failed, by whoever asks for `failed`. One that
 * BullMQ calls completed has set its batch's bit; if the bit is not there, Redis has lost it.
 */
const LIVE_STATES: ReadonlySet<string> = new Set(['waiting', 'active', 'delayed', 'prioritized', 'failed']);

export interface BatchQueueOptions {
  readonly connection: Redis;
  readonly prefix: string;
  /** Told when Redis refuses jobs for now (full, read-only), with the reason; null when it takes them again. */
  readonly onRefused?: (reason: string | null) => void;
  /** Whether calls outlast the patience of the connection. Defaults to {@link IMPATIENT}. */
  readonly patience?: Patience;
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
  /** Which of these batches nobody will work on any more: Redis has no job for them, or takes it for completed. */
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
  const { patience = IMPATIENT } = options;
  const ask = <T>(operation: () => Promise<T>) =>
    patience.waitOut(() =>
      operation().catch((cause: unknown) => {
        throw redisFailure('Reading the queue', cause);
      }),
    );
  return {
    enqueue: async (jobs, { signal } = {}) => {
      for (const slice of slices(jobs))
        await patience.waitOut(() => addSlice(queue, slice, options, signal), signal);
    },
    missing: async (runId, batchIndexes) => {
      const states = await ask(() =>
        Promise.all(batchIndexes.map((index) => queue.getJobState(jobId(runId, index)))),
      );
      return batchIndexes.filter((_, position) => !LIVE_STATES.has(states[position] ?? 'unknown'));
    },
    failed: (runId) => ask(() => failedBatches(queue, runId)),
    removeWaiting: (runId) => ask(() => removeWaiting(queue, runId)),
    close: () => queue.close(),
  };
}

async function failedBatches(queue: Queue, runId: string): Promise<FailedBatch[]> {
  const ids = await idsOf(queue, 'failed', runId);
  const jobs = await Promise.all(ids.map((id) => queue.getJob(id)));
  return jobs.flatMap((job) => {
    const id = parseJobId(job?.id ?? '');
    if (job === undefined || id === null) return [];
    return [
      { batchIndex: id.batchIndex, reason: job.failedReason, data: job.data, attempts: job.attemptsMade },
    ];
  });
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
  for (const state of ['waiting', 'delayed', 'prioritized'] as const) {
    for (const id of await idsOf(queue, state, runId)) {
      // A worker may take the job in this very moment: then it stays, which is harmless.
      removed += await queue.remove(id).catch(() => 0);
    }
  }
  return removed;
}

/** Ids only, a page at a time: the jobs of all runs together may be larger than memory. */
async function idsOf(queue: Queue, state: JobType, runId: string): Promise<string[]> {
  const ids = new Set<string>();
  for (let start = 0; ; start += IDS_PER_PAGE) {
    const page = await queue.getRanges([state], start, start + IDS_PER_PAGE - 1);
    for (const id of page) if (parseJobId(id)?.runId === runId) ids.add(id);
    if (page.length < IDS_PER_PAGE) return [...ids];
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { Queue, type JobsOptions, type QueueOptions } from 'bullmq';
import type { RedisConnection } from './redis/connection.ts';
import { EmbedlineError, messageOf } from './errors.ts';
import { jobBytes, jobId, parseJobId, type EmbedJob } from './job.ts';
import { IMPATIENT, type Patience } from './outages.ts';
import { redisFailure, refusalReason } from './run/redis-failure.ts';
import { runKeys } from './run/run-keys.ts';
import { sealJob } from './signing/sealed-job.ts';
import type { SigningKeys } from './signing/signing-keys.ts';

/**
 * Settings of the BullMQ worker, each with its reason (hazards section 1):
 * a dead worker's batch is back within lockDuration + stalledInterval (B4), that is 4/3 of the lock's duration; a batch
 * survives 20 worker deaths, since spot machines die often (B5), and is given up on after more: it kills its workers. How
 * often it was begun does not matter: a worker that hands it back has not failed.
 */
export function batchWorkerSettings(lockDurationMs: number) {
  return {
    lockDuration: lockDurationMs,
    stalledInterval: Math.ceil(lockDurationMs / 3),
    maxStalledCount: 20,
  };
}

/**
 * Outages are waited out inside the worker, so attempts are for the unforeseen; back-off with jitter, 1 s and up. A
 * batch that is done is a bit of its run: kept, its job would hold texts, and up to a quarter of a megabyte, for nothing.
 */
const JOB_OPTIONS: JobsOptions = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 1000, jitter: 0.5 },
  removeOnComplete: true,
  removeOnFail: { age: 7 * 24 * 3600, count: 1000 },
  stackTraceLimit: 3,
};

/** Nobody listens to the events of the queue; BullMQ keeps 10,000 of them, a megabyte or two. */
const MAX_EVENTS_KEPT = 100;

/** One addBulk holds at most so much: it is a pipeline, not a transaction, and blocks Redis while it runs (B19, B20). */
const MAX_SLICE_JOBS = 200;
const MAX_SLICE_BYTES = 4 * 1024 * 1024;

/** In these a worker has the job or will get it. One that is done is not kept, and its bit tells it from one that is lost. */
const ATTENDED_STATES: ReadonlySet<string> = new Set(['waiting', 'active', 'delayed', 'prioritized']);

/** Far more than there can be processes that drop one queue at the same time. */
const MAX_OBLITERATE_ATTEMPTS = 20;

export interface BatchQueueOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Told when Redis refuses jobs for now (full, read-only), with the reason; null when it takes them again. */
  readonly onRefused?: (reason: string | null) => void;
  /** Whether calls outlast the patience of the connection. Defaults to {@link IMPATIENT}. */
  readonly patience?: Patience;
  /** Sign the jobs, and encrypt their texts where that is asked for. Defaults to none. */
  readonly signingKeys?: SigningKeys | null | undefined;
}

export interface FailedBatch {
  readonly batchIndex: number;
  readonly reason: string;
  readonly data: unknown;
  readonly attempts: number;
}

/** Batches that no worker will work on any more. */
export interface UnattendedBatches {
  /** Redis has no job for them. */
  readonly missing: readonly number[];
  /** BullMQ gave up on them. */
  readonly failed: readonly FailedBatch[];
}

/** The queues of batches, one for each run, as the producer sees them. */
export interface BatchQueue {
  /** Adds jobs of one run; returns when Redis has them all. Adding one twice adds it once. */
  enqueue(jobs: readonly EmbedJob[], options?: { signal?: AbortSignal }): Promise<void>;
  /** Which of these batches nobody will work on. */
  unattended(runId: string, batchIndexes: readonly number[]): Promise<UnattendedBatches>;
  /** Takes those of these batches that no worker has under way out of the queue. */
  remove(runId: string, batchIndexes: readonly number[]): Promise<void>;
  /** Removes the queue of a run that has ended, with every batch in it. A worker loses the batches that it has under way. */
  removeRun(runId: string): Promise<void>;
  close(): Promise<void>;
}

export function createBatchQueue(options: BatchQueueOptions): BatchQueue {
  const queues = new Map<string, Queue>();
  const queueOf = (runId: string) => {
    const queue = queues.get(runId) ?? openQueue(runKeys(options.prefix).queueName(runId), options);
    queues.set(runId, queue);
    return queue;
  };
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
        await patience.waitOut(
          () => addSlice(queueOf(slice[0]?.runId ?? ''), slice, options, signal),
          signal,
        );
    },
    unattended: (runId, batchIndexes) => ask(() => unattended(queueOf(runId), runId, batchIndexes)),
    remove: (runId, batchIndexes) =>
      ask(() =>
        remove(
          queueOf(runId),
          batchIndexes.map((index) => jobId(runId, index)),
        ),
      ),
    removeRun: async (runId) => {
      const queue = queues.get(runId);
      queues.delete(runId);
      await queue?.close();
      await ask(() => dropQueue(runId, options));
    },
    close: async () => {
      await Promise.all([...queues.values()].map((queue) => queue.close()));
    },
  };
}

function openQueue(
  name: string,
  { connection, prefix }: Pick<BatchQueueOptions, 'connection' | 'prefix'>,
  options: Partial<QueueOptions> = {},
): Queue {
  const queue = new Queue(name, {
    connection,
    prefix,
    defaultJobOptions: JOB_OPTIONS,
    streams: { events: { maxLen: MAX_EVENTS_KEPT } },
    ...options,
  });
  // Without a listener an 'error' event would end the process; the connection reports its own trouble.
  queue.on('error', () => undefined);
  return queue;
}

/** The queue of a run, and what the run has in the queue that all runs of format 1 share. */
async function dropQueue(runId: string, options: BatchQueueOptions): Promise<void> {
  const keys = runKeys(options.prefix);
  await withQueue(keys.queueName(runId), options, obliterate);
  await withQueue(keys.sharedQueueName, options, async (queue) =>
    remove(queue, await idsOfRun(queue, runId)),
  );
}

/** The producer and `runs cancel` may do this at the same time: who is overtaken by the other's end starts again. */
async function obliterate(queue: Queue): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await queue.obliterate({ force: true });
    } catch (error) {
      // It had been paused, as it must be, until the other removed that note with the queue.
      if (attempt === MAX_OBLITERATE_ATTEMPTS || !messageOf(error).includes('non-paused')) throw error;
    }
  }
}

async function withQueue(
  name: string,
  options: BatchQueueOptions,
  act: (queue: Queue) => Promise<void>,
): Promise<void> {
  const { connection, prefix } = options;
  const parts = ['meta', 'wait', 'active', 'delayed', 'failed', 'events'];
  if ((await connection.exists(...parts.map((part) => `${prefix}:${name}:${part}`))) === 0) return;
  // What BullMQ notes of a queue that it opens would be left behind.
  const queue = openQueue(name, options, { skipMetasUpdate: true });
  try {
    await act(queue);
  } finally {
    await queue.close();
  }
}

async function unattended(
  queue: Queue,
  runId: string,
  batchIndexes: readonly number[],
): Promise<UnattendedBatches> {
  const states = await Promise.all(batchIndexes.map((index) => queue.getJobState(jobId(runId, index))));
  const failed = batchIndexes.filter((_, position) => states[position] === 'failed');
  const jobs = await Promise.all(failed.map((index) => queue.getJob(jobId(runId, index))));
  return {
    missing: batchIndexes.filter((_, position) => {
      const state = states[position] ?? 'unknown';
      return state !== 'failed' && !ATTENDED_STATES.has(state);
    }),
    failed: failed.flatMap((batchIndex, position) => {
      const job = jobs[position];
      return job === undefined
        ? []
        : [{ batchIndex, reason: job.failedReason, data: job.data, attempts: job.attemptsMade }];
    }),
  };
}

/** Of the jobs that no worker has, whatever their producer could record of them. */
async function idsOfRun(queue: Queue, runId: string): Promise<string[]> {
  const ids = await queue.getRanges(['wait', 'prioritized', 'delayed', 'failed'], 0, -1);
  return ids.filter((id) => parseJobId(id)?.runId === runId);
}

async function remove(queue: Queue, jobIds: readonly string[]): Promise<void> {
  // A worker may take the job in this very moment: then it stays, which is harmless.
  await Promise.all(jobIds.map((id) => queue.remove(id).catch(() => 0)));
}

async function addSlice(
  queue: Queue,
  jobs: readonly EmbedJob[],
  { onRefused, signingKeys = null }: BatchQueueOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bulk = jobs.map((job) => ({
    name: 'embed',
    data: sealJob(job, signingKeys),
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

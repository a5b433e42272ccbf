import {
  batchWorkerSettings,
  createBatchQueue,
  isEmbedlineError,
  messageOf,
  parseJobId,
  redactError,
  runKeys,
  throttle,
  type Logger,
  type RedisConnection,
  type RunLedger,
} from '@embedline/core';
import { UnrecoverableError, WaitingError, Worker, type Job } from 'bullmq';
import { adaptPrefetch } from './adapt-prefetch.ts';
import { abandonBatch, processBatch, type ProcessorOptions } from './processor.ts';

export interface BatchWorkerOptions extends ProcessorOptions {
  /** Blocks while it waits for a batch. */
  readonly connection: RedisConnection;
  /** For everything else. */
  readonly commands: RedisConnection;
  readonly prefix: string;
  readonly ledger: RunLedger;
  readonly logger: Logger;
  /** Inference processes that shall be kept busy; see adapt-prefetch.ts. */
  readonly processes: number;
  /** A worker that does not renew its lock of a batch for so long is held to be dead. */
  readonly lockDurationMs: number;
  /** Told once when this worker must not go on: it sees another store or has another model than a run. */
  readonly onRefusal: (error: Error) => void;
}

export interface BatchWorker {
  /**
   * Takes no more batches, lets those under way end for `graceMs`, and hands the rest back to the queue.
   * Idempotent.
   */
  close(graceMs: number): Promise<void>;
}

/** Errors that this worker or its store, not the batch, is the cause of: it hands the batch back and ends. */
const REFUSALS = new Set([
  'STORE_MISMATCH',
  'STORE_UNAUTHORIZED',
  'STORE_UNSUITABLE',
  'COLLECTION_NOT_FOUND',
  'MODEL_NOT_FOUND',
  'MODEL_MISMATCH',
  'MODEL_INVALID',
]);
/** Errors that a retry cannot mend: the job is not one of ours, or its run is gone. */
const HOPELESS = new Set(['JOB_INVALID', 'RUN_LOST']);

/** Connects BullMQ to {@link processBatch}. This thread does I/O only, so that locks are renewed in time. */
export function startBatchWorker(options: BatchWorkerOptions): BatchWorker {
  const { logger } = options;
  const handBack = new AbortController();
  const reportError = throttle(10_000, (message, times) =>
    logger.warn({ times }, `Trouble with Redis, trying again: ${message}`),
  );
  const worker = new Worker(
    runKeys(options.prefix).queueName,
    (job, token, signal) => process(job, token, signal ?? handBack.signal, handBack.signal, options),
    {
      ...batchWorkerSettings(options.lockDurationMs),
      connection: options.connection,
      prefix: options.prefix,
      concurrency: options.processes,
    },
  );
  const { commands: redis, prefix, processes } = options;
  const queue = createBatchQueue({ connection: redis, prefix });
  const prefetch = adaptPrefetch({ redis, prefix, queue, worker, processes });
  // One line for all batches, not one for each.
  worker.on('error', (error) => reportError(error.message.replaceAll(/\bb-[\w-]+-\d{8,}/g, 'a batch')));
  worker.on('lockRenewalFailed', (jobIds: string[]) => {
    logger.warn({ jobIds }, 'Lost the locks of batches: other workers will do them again');
    for (const id of jobIds) worker.cancelJob(id, 'lock lost');
  });
  worker.on('stalled', (id: string) =>
    logger.warn({ jobId: id }, 'A batch of a lost worker is back in the queue'),
  );
  worker.on('failed', (job, error) => void settleFailure(job, error, options));
  return {
    close: async (graceMs) => {
      prefetch.close();
      await close(worker, handBack, graceMs);
      await queue.close();
    },
  };
}

async function process(
  job: Job,
  token: string | undefined,
  lost: AbortSignal,
  handBack: AbortSignal,
  options: BatchWorkerOptions,
): Promise<{ chunks: number }> {
  const startedAt = performance.now();
  try {
    const outcome = await processBatch(job.data, AbortSignal.any([lost, handBack]), options);
    const durationMs = Math.round(performance.now() - startedAt);
    options.logger.debug({ jobId: job.id, ...outcome, durationMs }, 'Batch done');
    return { chunks: outcome.chunks };
  } catch (error) {
    if (isEmbedlineError(error) && HOPELESS.has(error.code)) throw new UnrecoverableError(error.message);
    if (isEmbedlineError(error) && REFUSALS.has(error.code)) {
      // The generation of a run that was given up on may be gone: that is nobody's fault.
      if (await hasEnded(job, options.ledger)) throw new UnrecoverableError(error.message);
      options.onRefusal(error);
    } else if (!handBack.aborted) throw redactError(error);
    await job.moveToWait(token);
    throw new WaitingError();
  }
}

async function hasEnded(job: Job, ledger: RunLedger): Promise<boolean> {
  const run = await ledger.progress(parseJobId(job.id ?? '')?.runId ?? '');
  return run === null || run.state !== 'running';
}

/** A job that BullMQ has given up on must not leave its run waiting for ever. */
async function settleFailure(job: Job | undefined, error: Error, options: BatchWorkerOptions): Promise<void> {
  if (job === undefined || job.finishedOn === undefined) return;
  try {
    await abandonBatch(job.data, error, job.attemptsMade, options);
    // Its dead letters say more, and keep what it takes to try again.
    await job.remove();
    options.logger.error({ jobId: job.id, err: error }, 'Gave up on a batch: its chunks are dead letters');
  } catch (cause) {
    options.logger.error(
      { jobId: job.id, err: cause },
      `Could not record a failed batch: ${messageOf(cause)}`,
    );
  }
}

async function close(worker: Worker, handBack: AbortController, graceMs: number): Promise<void> {
  const drained = worker.close();
  const timer = setTimeout(() => handBack.abort(new Error('handed back')), graceMs);
  try {
    await drained;
  } finally {
    clearTimeout(timer);
  }
}

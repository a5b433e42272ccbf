import { randomUUID } from 'node:crypto';
import {
  batchWorkerSettings,
  BoundedWorker,
  MAX_JOB_BYTES,
  waitOutRefusals,
  type RedisConnection,
} from '@embedline/core';
import { UnrecoverableError, type Job, type Worker } from 'bullmq';

export interface RunQueueOptions {
  /** For commands, of role `worker`; shared by all queues of this worker, since none of them blocks. */
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly name: string;
  readonly lockDurationMs: number;
  /** Told of trouble, for the log. */
  readonly onError: (error: Error) => void;
  /** Told of a batch of a dead worker that is back in the queue. */
  readonly onStalled: (jobId: string) => void;
}

/** A batch that this worker has taken, and nobody else has while its lock is renewed. */
export interface TakenBatch {
  readonly id: string;
  readonly data: unknown;
  readonly attemptsMade: number;
  /** Why BullMQ has given up on the batch, e.g. since many workers died with it; null when it has not. */
  readonly givenUp: string | null;
  complete(chunks: number): Promise<void>;
  /**
   * Counts an attempt: the batch is tried again later, unless it was the last or the error is hopeless.
   * @returns whether it was given up on
   */
  fail(error: Error, options: { readonly hopeless: boolean }): Promise<boolean>;
  /** Takes a batch that was given up on out of the queue. */
  remove(): Promise<void>;
  /** Gives the batch back to the front of the queue. Counts nothing. */
  handBack(): Promise<void>;
  /** Renews the lock. @returns false when it was lost */
  renew(): Promise<boolean>;
}

/**
 * The queue of one run, as a worker sees it. Takes a batch only when it is asked to; BullMQ's own loop would take batches
 * as fast as it can, of one queue, and needs a connection of its own for each.
 */
export class RunQueue {
  readonly #options: RunQueueOptions;
  readonly #worker: Worker;
  readonly #id = randomUUID();
  #taken = 0;

  constructor(options: RunQueueOptions) {
    this.#options = options;
    const { redis, prefix, name, lockDurationMs, onError, onStalled } = options;
    this.#worker = new BoundedWorker({
      name,
      process: null,
      settings: { ...batchWorkerSettings(lockDurationMs), connection: redis, prefix, autorun: false },
      maxDataCharacters: MAX_JOB_BYTES,
    });
    this.#worker.on('error', onError);
    this.#worker.on('stalled', onStalled);
  }

  get name(): string {
    return this.#options.name;
  }

  /** Begins to look for batches of dead workers. */
  async start(): Promise<void> {
    await this.#worker.startStalledCheckTimer();
  }

  /** The next batch, or null when none waits now. */
  async take(): Promise<TakenBatch | null> {
    const token = `${this.#id}:${this.#taken++}`;
    const job = (await this.#worker.getNextJob(token, { block: false })) as Job | undefined;
    return job === undefined ? null : this.#wrap(job, token);
  }

  /** Batches that were taken must be done with before. Idempotent. */
  async close(): Promise<void> {
    await this.#worker.close();
  }

  #wrap(job: Job, token: string): TakenBatch {
    const { lockDurationMs } = this.#options;
    const id = job.id ?? '';
    return {
      id,
      data: job.data,
      attemptsMade: job.attemptsMade,
      givenUp: job.deferredFailure ?? null,
      complete: async (chunks) => {
        await waitOutRefusals(() => job.moveToCompleted({ chunks }, token, false));
      },
      fail: async (error, { hopeless }) => {
        const counted = hopeless ? new UnrecoverableError(error.message) : error;
        await waitOutRefusals(() => job.moveToFailed(counted, token, false));
        return job.finishedOn !== undefined;
      },
      remove: () => job.remove(),
      handBack: async () => {
        await waitOutRefusals(() => job.moveToWait(token));
      },
      renew: async () => {
        const lost = await this.#worker.extendJobLocks([id], [token], lockDurationMs);
        return lost.length === 0;
      },
    };
  }
}

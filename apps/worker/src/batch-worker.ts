import { setTimeout as delay } from 'node:timers/promises';
import {
  createBatchQueue,
  lookAtQueues,
  messageOf,
  parseJobId,
  runningFormat1RunIds,
  throttle,
  type Logger,
  type RedisConnection,
  type Refusal,
  type RunSpec,
} from '@embedline/core';
import { batchesAtOnce } from './adapt-prefetch.ts';
import { BatchLocks, type HeldBatch } from './batch-locks.ts';
import type { BorrowedRun, RunSource } from './open-runs.ts';
import { processBatch, type ProcessorOptions } from './processor.ts';
import { RunQueue, type TakenBatch } from './run-queue.ts';
import { ServedRuns, type Lane } from './served-runs.ts';
import { assertOwn, settleFailure } from './settle-failure.ts';

export interface BatchWorkerOptions extends ProcessorOptions {
  /** Of role `worker`, since an outage is waited out. Nothing blocks it. */
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly runs: RunSource;
  readonly logger: Logger;
  /** Inference processes to be kept busy; see adapt-prefetch.ts. */
  readonly processes: number;
  /** A worker that does not renew its lock of a batch for so long is taken for dead. */
  readonly lockDurationMs: number;
  /** Told of all refusals whenever they change. */
  readonly onRefusals?: (refusals: readonly Refusal[]) => void;
  /** A run that was refused is looked at again after so long, and later each time. Defaults to 30,000. */
  readonly judgeAgainMs?: number;
  /** How often to look for new runs and batches. Defaults to 200. A batch that is done is followed by the next at once. */
  readonly lookEveryMs?: number;
}

const LOOK_EVERY_MS = 200;
/** Runs of format 1 have to be looked for one by one. */
const LOOK_FOR_FORMAT_1_EVERY_MS = 1_000;
const RETRY_MS = 1_000;
/** A batch in the queue of format 1 asks so often whether it is its model's turn. */
const TURN_POLL_MS = 100;

/**
 * Takes batches of the runs that this worker serves, in turns, so that a small run does not wait for a large one, and does
 * them. This thread does I/O only, so that locks are renewed in time.
 */
export class BatchWorker {
  readonly #options: BatchWorkerOptions;
  readonly #served: ServedRuns;
  readonly #locks: BatchLocks;
  readonly #stop = new AbortController();
  readonly #handBack = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  readonly #reportTrouble: ReturnType<typeof throttle>;
  readonly #reportStalled: ReturnType<typeof throttle>;
  readonly #closeQueue: () => Promise<void>;
  #concurrency: number;
  #lastQueue = '';
  #format1RunIds: readonly string[] = [];
  #format1AtMs = 0;
  #news = Promise.withResolvers<void>();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: BatchWorkerOptions) {
    const { redis, prefix, logger, lockDurationMs } = options;
    this.#options = options;
    this.#concurrency = options.processes;
    this.#reportTrouble = throttle(30_000, (message, times) =>
      logger.warn({ times }, `Trouble with Redis, trying again: ${message}`),
    );
    this.#reportStalled = throttle(10_000, (jobId, times) =>
      logger.warn({ times, jobId }, 'Batches of a lost worker are back in the queue'),
    );
    this.#locks = new BatchLocks({
      lockDurationMs,
      onError: (error) => this.#trouble(error),
      onLost: (jobIds) =>
        logger.warn({ jobIds }, 'Lost the locks of batches: other workers will do them again'),
    });
    const queue = createBatchQueue({ connection: redis, prefix });
    this.#closeQueue = () => queue.close();
    this.#served = new ServedRuns({
      ...options,
      queue,
      openQueue: (name) => this.#openQueue(name),
      onNews: () => this.#news.resolve(),
    });
  }

  start(): void {
    this.#loops = Promise.all([this.#lookLoop(), this.#takeLoop()]);
  }

  /** Takes no more batches, lets those under way end for `graceMs`, and hands the rest back to the queue. Idempotent. */
  async close(graceMs: number): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    this.#news.resolve();
    const timer = setTimeout(() => this.#handBack.abort(new Error('handed back')), graceMs);
    try {
      await this.#loops;
      await Promise.all(this.#underWay);
    } finally {
      clearTimeout(timer);
      this.#locks.close();
    }
    await this.#served.close();
    await this.#closeQueue();
  }

  async #lookLoop(): Promise<void> {
    const { signal } = this.#stop;
    const { lookEveryMs = LOOK_EVERY_MS } = this.#options;
    while (!signal.aborted) {
      const pauseMs = await this.#look().then(
        () => lookEveryMs,
        (error: unknown) => {
          this.#trouble(error);
          return RETRY_MS;
        },
      );
      this.#news.resolve();
      await delay(pauseMs * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { redis, prefix, processes } = this.#options;
    const look = await lookAtQueues(redis, prefix, this.#served.queueNames);
    const isNeeded = look.sharedJobs > 0 || this.#format1RunIds.length > 0;
    if (isNeeded && Date.now() - this.#format1AtMs >= LOOK_FOR_FORMAT_1_EVERY_MS) {
      this.#format1AtMs = Date.now();
      this.#format1RunIds = await runningFormat1RunIds(redis, prefix);
    }
    this.#served.update(look, this.#format1RunIds);
    const waiting = this.#served.queueNames.reduce((sum, name) => sum + (look.waiting.get(name) ?? 0), 0);
    this.#concurrency = batchesAtOnce(waiting, Math.max(look.workers, 1), processes);
  }

  async #takeLoop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      // What happens from here on is not slept through.
      this.#news = Promise.withResolvers<void>();
      if (this.#underWay.size < this.#concurrency && (await this.#takeNext())) continue;
      await this.#news.promise;
    }
  }

  /** One batch of the first lane, after the one that had the last turn, that has any. */
  async #takeNext(): Promise<boolean> {
    for (const lane of this.#inTurn()) {
      if (!lane.mayHaveMore) continue;
      const place = lane.run === null ? null : this.#options.runs.borrow(lane.run);
      if (lane.run !== null && place === null) continue;
      const batch = await this.#take(lane);
      if (batch !== null) {
        this.#lastQueue = lane.queue.name;
        this.#begin(lane, batch, place);
        return true;
      }
      lane.mayHaveMore = false;
      place?.release();
      if (this.#stop.signal.aborted) return false;
    }
    return false;
  }

  #inTurn(): readonly Lane[] {
    const { lanes } = this.#served;
    const last = lanes.findIndex(({ queue }) => queue.name === this.#lastQueue);
    return [...lanes.slice(last + 1), ...lanes.slice(0, last + 1)];
  }

  async #take(lane: Lane): Promise<TakenBatch | null> {
    try {
      return await lane.queue.take();
    } catch (error) {
      this.#trouble(error);
      return null;
    }
  }

  #begin(lane: Lane, batch: TakenBatch, place: BorrowedRun | null): void {
    lane.underWay += 1;
    const held = this.#locks.hold(batch);
    const work = this.#do(lane, batch, held, place)
      .catch((error: unknown) => this.#trouble(error))
      .finally(() => {
        held.release();
        this.#underWay.delete(work);
        this.#served.settled(lane);
        this.#news.resolve();
      });
    this.#underWay.add(work);
  }

  async #do(lane: Lane, batch: TakenBatch, held: HeldBatch, reserved: BorrowedRun | null): Promise<void> {
    const { logger } = this.#options;
    const runId = lane.run?.runId ?? parseJobId(batch.id)?.runId ?? '';
    const startedAt = performance.now();
    const signal = AbortSignal.any([held.signal, this.#handBack.signal]);
    let place = reserved;
    try {
      assertOwn({ runId, batch });
      if (batch.givenUp !== null) throw new Error(batch.givenUp);
      this.#stop.signal.throwIfAborted();
      place ??= await this.#placeFor(runId, signal);
      const outcome = await processBatch(batch.data, place, signal, this.#options);
      const durationMs = Math.round(performance.now() - startedAt);
      logger.debug({ jobId: batch.id, ...outcome, durationMs }, 'Batch done');
      this.#served.succeeded(runId);
      held.settle();
      // A batch whose end BullMQ does not learn comes back, and is seen to be done.
      await batch.complete(outcome.chunks).catch((error: unknown) => this.#trouble(error));
    } catch (error) {
      if (lane.run === null) this.#format1AtMs = 0;
      const stopped = this.#stop.signal.aborted && error === this.#stop.signal.reason;
      const handBack = stopped ? this.#stop.signal : this.#handBack.signal;
      const context = { ...this.#options, served: this.#served, handBack };
      await settleFailure({ runId, batch, held, error }, context);
    } finally {
      place?.release();
    }
  }

  /** For a batch out of the queue of format 1, which may be of any run. */
  async #placeFor(runId: string, signal: AbortSignal): Promise<BorrowedRun> {
    const { runs, patience } = this.#options;
    const spec: RunSpec =
      this.#served.spec(runId) ?? (await patience.waitOut(() => runs.prove(runId, signal), signal));
    for (;;) {
      const place = runs.borrow(spec);
      if (place !== null) return place;
      await delay(TURN_POLL_MS, undefined, { signal });
    }
  }

  #openQueue(name: string): RunQueue {
    const { redis, prefix, lockDurationMs } = this.#options;
    return new RunQueue({
      redis,
      prefix,
      name,
      lockDurationMs,
      onError: (error) => this.#trouble(error),
      onStalled: (jobId) => this.#reportStalled(jobId, 'stalled'),
    });
  }

  /** One line for all batches, and for all that one outage makes fail. */
  #trouble(error: unknown): void {
    this.#reportTrouble(messageOf(error).replaceAll(/\bb-[\w-]{1,64}-\d{8,10}/g, 'a batch'), 'redis');
  }
}

/** Starts a worker of all runs that it can serve. */
export function startBatchWorker(options: BatchWorkerOptions): BatchWorker {
  const worker = new BatchWorker(options);
  worker.start();
  return worker;
}

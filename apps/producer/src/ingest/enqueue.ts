import { setTimeout as delay } from 'node:timers/promises';
import {
  Batcher,
  encodeJob,
  EmbedlineError,
  jobBytes,
  type BatchQueue,
  type ChunkRecord,
  type EmbedJob,
  type RunLedger,
} from '@embedline/core';
import type { RunCounts } from './run-counts.ts';

export interface EnqueueOptions {
  readonly runId: string;
  readonly queue: BatchQueue;
  readonly ledger: RunLedger;
  readonly counts: RunCounts;
  readonly signal: AbortSignal;
  /** Defaults to {@link DEFAULT_QUEUE_LIMITS}. */
  readonly limits?: QueueLimits;
}

/** How far the producer may be ahead of the workers. Redis takes about three times the bytes of the texts. */
export interface QueueLimits {
  /** Batches that may wait in Redis. Defaults to 256. */
  readonly maxQueuedBatches: number;
  /** Bytes of texts and metadata that may wait in Redis; a batch has at most 256 KiB. Defaults to 64 MiB. */
  readonly maxQueuedBytes: number;
}

export const DEFAULT_QUEUE_LIMITS: QueueLimits = Object.freeze({
  maxQueuedBatches: 256,
  maxQueuedBytes: 64 * 1024 * 1024,
});

/** How often a full queue is looked at again. */
const POLL_MS = 200;
/** Jobs that are sent together: more would only be split again, and memory holds them twice meanwhile. */
const JOBS_PER_SENDING = 32;

/** Puts chunks into batches and these into the queue, no faster than the workers take them. */
export class Enqueuer {
  readonly #options: EnqueueOptions;
  readonly #batcher = new Batcher();
  #outgoing: EmbedJob[] = [];
  #sending: Promise<void> = Promise.resolve();
  /** Made so far, sent or not. */
  #made = { batches: 0, bytes: 0 };
  #done = { batches: 0, bytes: 0 };

  constructor(options: EnqueueOptions) {
    this.#options = options;
  }

  /**
   * Sends the batches that these chunks complete. Returns before Redis has the last of them: an error that one of them
   * ends in is thrown by the next call.
   */
  async add(chunks: readonly ChunkRecord[]): Promise<void> {
    for (const chunk of chunks) {
      const batch = this.#batcher.add(chunk);
      if (batch !== null) await this.#put(batch);
    }
    await this.#send();
  }

  /** Sends what is left, and returns when Redis has all. */
  async flush(): Promise<void> {
    const batch = this.#batcher.flush();
    if (batch.length > 0) await this.#put(batch);
    await this.#send();
    await this.#sending;
  }

  /** Waits until nothing is under way any more, whatever has become of it. */
  async settled(): Promise<void> {
    await this.#sending.catch(() => undefined);
  }

  async #put(batch: readonly ChunkRecord[]): Promise<void> {
    const job = encodeJob(this.#options.runId, this.#made.batches, batch);
    const bytes = jobBytes(job);
    if (this.#isFull(bytes)) {
      await this.#send();
      await this.#waitForRoom(bytes);
    }
    this.#made.batches += 1;
    this.#made.bytes += bytes;
    this.#outgoing.push(job);
    if (this.#outgoing.length >= JOBS_PER_SENDING) await this.#send();
  }

  /** One sending is under way while the next is made. */
  async #send(): Promise<void> {
    await this.#sending;
    if (this.#outgoing.length === 0) return;
    const jobs = this.#outgoing;
    this.#outgoing = [];
    this.#sending = this.#enqueue(jobs);
    // It is thrown where it is waited for.
    this.#sending.catch(() => undefined);
  }

  async #enqueue(jobs: readonly EmbedJob[]): Promise<void> {
    const { queue, counts, signal } = this.#options;
    await queue.enqueue(jobs, { signal });
    // The checkpoint moves only after Redis has the jobs (hazards B19).
    counts.batchesTotal += jobs.length;
    for (const job of jobs) {
      counts.chunksEnqueued += job.chunks.length;
      counts.bytesEnqueued += jobBytes(job);
    }
  }

  #isFull(bytes: number): boolean {
    const { maxQueuedBatches, maxQueuedBytes } = this.#options.limits ?? DEFAULT_QUEUE_LIMITS;
    const batches = this.#made.batches - this.#done.batches;
    const queuedBytes = this.#made.bytes - this.#done.bytes;
    return batches > 0 && (batches >= maxQueuedBatches || queuedBytes + bytes > maxQueuedBytes);
  }

  async #waitForRoom(bytes: number): Promise<void> {
    const { runId, ledger, signal } = this.#options;
    while (this.#isFull(bytes)) {
      const progress = await ledger.progress(runId);
      if (progress === null)
        throw new EmbedlineError(
          'RUN_LOST',
          `Redis has lost run ${runId}. Ingest again: that costs only the difference.`,
        );
      this.#done = { batches: progress.workers.batchesDone, bytes: progress.workers.bytesDone };
      if (this.#isFull(bytes)) await delay(POLL_MS, undefined, { signal });
    }
  }
}

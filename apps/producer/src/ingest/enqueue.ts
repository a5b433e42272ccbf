import { setTimeout as delay } from 'node:timers/promises';
import {
  Batcher,
  encodeJob,
  jobBytes,
  type ChunkRecord,
  type EmbedJob,
  type RunLedger,
} from '@embedline/core';
import { DEFAULT_QUEUE_LIMITS, type QueueLimits } from './queue-limits.ts';
import type { RunCounts } from './run-counts.ts';
import type { UnfinishedBatches } from './unfinished-batches.ts';

export interface EnqueueOptions {
  readonly runId: string;
  readonly ledger: RunLedger;
  readonly unfinished: UnfinishedBatches;
  readonly counts: RunCounts;
  readonly signal: AbortSignal;
  /** Defaults to {@link DEFAULT_QUEUE_LIMITS}. */
  readonly limits?: QueueLimits;
}

/** How often a full queue is looked at again. */
const POLL_MS = 200;
/** Jobs that are sent together: more would only be split again, and memory holds them twice meanwhile. */
const JOBS_PER_SENDING = 32;

/** Puts chunks into batches and these into the queue, no faster than the workers take them. */
export class Enqueuer {
  readonly #options: EnqueueOptions;
  readonly #batcher = new Batcher();
  #batchesMade = 0;
  #outgoing: EmbedJob[] = [];
  #sending: Promise<void> = Promise.resolve();
  /** Made, and not known to be in the queue. */
  #unsent = { batches: 0, bytes: 0 };

  constructor(options: EnqueueOptions) {
    this.#options = options;
  }

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
    const job = encodeJob(this.#options.runId, this.#batchesMade, batch);
    const bytes = jobBytes(job);
    if (this.#isFull(bytes)) await this.#waitForRoom(bytes);
    this.#batchesMade += 1;
    this.#unsent.batches += 1;
    this.#unsent.bytes += bytes;
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
    const { unfinished, counts } = this.#options;
    await unfinished.enqueue(jobs);
    // The checkpoint moves only after Redis has the jobs (hazards B19).
    counts.batchesTotal += jobs.length;
    for (const job of jobs) {
      const bytes = jobBytes(job);
      counts.chunksEnqueued += job.chunks.length;
      counts.bytesEnqueued += bytes;
      this.#unsent.batches -= 1;
      this.#unsent.bytes -= bytes;
    }
  }

  #isFull(bytes: number): boolean {
    const { unfinished, limits = DEFAULT_QUEUE_LIMITS } = this.#options;
    const batches = unfinished.count + this.#unsent.batches;
    const queuedBytes = unfinished.bytes + this.#unsent.bytes;
    return batches > 0 && (batches >= limits.maxQueuedBatches || queuedBytes + bytes > limits.maxQueuedBytes);
  }

  async #waitForRoom(bytes: number): Promise<void> {
    const { runId, ledger, unfinished, signal } = this.#options;
    await this.#send();
    await this.#sending;
    await unfinished.forgetDone();
    while (this.#isFull(bytes)) {
      await ledger.assertRunning(runId);
      await unfinished.mend();
      await delay(POLL_MS, undefined, { signal });
      await unfinished.forgetDone();
    }
  }
}

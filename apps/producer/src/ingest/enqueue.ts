import { setTimeout as delay } from 'node:timers/promises';
import { Batcher, encodeJob, jobBytes, type ChunkRecord, type RunLedger } from '@embedline/core';
import type { RunCounts } from './run-counts.ts';
import { runLost, type UnfinishedBatches } from './unfinished-batches.ts';

export interface EnqueueOptions {
  readonly runId: string;
  readonly ledger: RunLedger;
  readonly unfinished: UnfinishedBatches;
  readonly counts: RunCounts;
  readonly signal: AbortSignal;
  /** Batches that may wait in Redis. Defaults to {@link MAX_WAITING_BATCHES}. */
  readonly maxBatches?: number;
  /** Bytes of texts that may wait in Redis. Defaults to 64 MiB. */
  readonly maxBytes?: number;
}

/** A run has no more batches than these in the queue. */
export const MAX_WAITING_BATCHES = 256;
/** How often a full queue is looked at again. */
const POLL_MS = 200;

/** Puts chunks into batches and these into the queue, no faster than the workers take them. */
export class Enqueuer {
  readonly #options: EnqueueOptions;
  readonly #batcher = new Batcher();

  constructor(options: EnqueueOptions) {
    this.#options = options;
  }

  async add(chunks: readonly ChunkRecord[]): Promise<void> {
    for (const chunk of chunks) {
      const batch = this.#batcher.add(chunk);
      if (batch !== null) await this.#enqueue(batch);
    }
  }

  async flush(): Promise<void> {
    const batch = this.#batcher.flush();
    if (batch.length > 0) await this.#enqueue(batch);
  }

  async #enqueue(batch: readonly ChunkRecord[]): Promise<void> {
    const { runId, unfinished, counts } = this.#options;
    const job = encodeJob(runId, counts.batchesTotal, batch);
    const bytes = jobBytes(job);
    await this.#waitForRoom(bytes);
    await unfinished.enqueue(job);
    // The checkpoint moves only after Redis has the job (hazards B19).
    counts.batchesTotal += 1;
    counts.chunksEnqueued += batch.length;
    counts.bytesEnqueued += bytes;
  }

  async #waitForRoom(bytes: number): Promise<void> {
    const { runId, ledger, unfinished, signal } = this.#options;
    const { maxBatches = MAX_WAITING_BATCHES, maxBytes = 64 * 1024 * 1024 } = this.#options;
    const isFull = () =>
      unfinished.count > 0 && (unfinished.count >= maxBatches || unfinished.bytes + bytes > maxBytes);
    if (isFull()) await unfinished.forgetDone();
    while (isFull()) {
      if ((await ledger.spec(runId)) === null) throw runLost(runId);
      await unfinished.mend();
      await delay(POLL_MS, undefined, { signal });
      await unfinished.forgetDone();
    }
  }
}

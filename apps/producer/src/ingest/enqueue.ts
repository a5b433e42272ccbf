import { setTimeout as delay } from 'node:timers/promises';
import {
  Batcher,
  encodeJob,
  EmbedlineError,
  jobBytes,
  type BatchQueue,
  type ChunkRecord,
  type RunLedger,
} from '@embedline/core';
import type { RunCounts } from './run-counts.ts';

export interface EnqueueOptions {
  readonly runId: string;
  readonly queue: BatchQueue;
  readonly ledger: RunLedger;
  readonly counts: RunCounts;
  readonly signal: AbortSignal;
  /** Batches that may wait in Redis. Defaults to 256. */
  readonly maxBatches?: number;
  /** Bytes of texts that may wait in Redis. Defaults to 64 MiB. */
  readonly maxBytes?: number;
}

/** How often a full queue is looked at again. */
const POLL_MS = 200;

/** Puts chunks into batches and these into the queue, no faster than the workers take them. */
export class Enqueuer {
  readonly #options: EnqueueOptions;
  readonly #batcher = new Batcher();
  #batchesDone = 0;
  #bytesDone = 0;

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
    const { runId, queue, counts, signal } = this.#options;
    const job = encodeJob(runId, counts.batchesTotal, batch);
    const bytes = jobBytes(job);
    await this.#waitForRoom(bytes);
    await queue.enqueue([job], { signal });
    // The checkpoint moves only after Redis has the job (hazards B19).
    counts.batchesTotal += 1;
    counts.chunksEnqueued += batch.length;
    counts.bytesEnqueued += bytes;
  }

  async #waitForRoom(bytes: number): Promise<void> {
    const { runId, ledger, counts, signal, maxBatches = 256, maxBytes = 64 * 1024 * 1024 } = this.#options;
    const isFull = () => {
      const batches = counts.batchesTotal - this.#batchesDone;
      return (
        batches > 0 && (batches >= maxBatches || counts.bytesEnqueued - this.#bytesDone + bytes > maxBytes)
      );
    };
    while (isFull()) {
      const progress = await ledger.progress(runId);
      if (progress === null)
        throw new EmbedlineError(
          'RUN_LOST',
          `Redis has lost run ${runId}. Ingest again: that costs only the difference.`,
        );
      this.#batchesDone = progress.workers.batchesDone;
      this.#bytesDone = progress.workers.bytesDone;
      if (isFull()) await delay(POLL_MS, undefined, { signal });
    }
  }
}

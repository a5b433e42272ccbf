import {
  decodeJob,
  EmbedlineError,
  jobBytes,
  type BatchQueue,
  type EmbedJob,
  type FailedBatch,
  type RunLedger,
  type SigningKeys,
} from '@embedline/core';
import { abandonFailedBatch } from './abandon-failed-batch.ts';

export interface UnfinishedBatchesOptions {
  readonly runId: string;
  readonly queue: BatchQueue;
  readonly ledger: RunLedger;
  readonly signal: AbortSignal;
  readonly signingKeys?: SigningKeys | null | undefined;
  /** Told when Redis had lost batches that it had acknowledged, and they were queued again. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** How often batches that no worker can finish are looked for. Defaults to 5,000. */
  readonly mendEveryMs?: number;
}

const MEND_EVERY_MS = 5_000;

/**
 * The batches of a run that are queued and not done. Their jobs are kept in memory until they are, no more than
 * backpressure lets wait: a Redis that forgets the last second before a power cut, or fails over to a replica that lags,
 * loses jobs that it had acknowledged, and they are queued again.
 */
export class UnfinishedBatches {
  readonly #options: UnfinishedBatchesOptions;
  /** As JSON: thousands of small objects, kept for minutes, would take ten times the memory. */
  readonly #jobs = new Map<number, { readonly json: Buffer; readonly bytes: number }>();
  #bytes = 0;
  #mendAtMs: number;

  constructor(options: UnfinishedBatchesOptions) {
    this.#options = options;
    this.#mendAtMs = this.#nextMendMs();
  }

  /** As far as is known; see {@link forgetDone}. */
  get count(): number {
    return this.#jobs.size;
  }

  /** Of their texts and metadata, as {@link jobBytes} counts. */
  get bytes(): number {
    return this.#bytes;
  }

  async enqueue(jobs: readonly EmbedJob[]): Promise<void> {
    const { queue, signal } = this.#options;
    await queue.enqueue(jobs, { signal });
    for (const job of jobs) {
      const bytes = jobBytes(job);
      this.#jobs.set(job.batchIndex, { json: Buffer.from(JSON.stringify(job)), bytes });
      this.#bytes += bytes;
    }
  }

  /** Forgets those that are done by now. */
  async forgetDone(): Promise<void> {
    const { runId, ledger } = this.#options;
    const pending = new Set(await ledger.pendingBatches(runId, [...this.#jobs.keys()]));
    for (const [index, { bytes }] of this.#jobs) {
      if (pending.has(index)) continue;
      this.#jobs.delete(index);
      this.#bytes -= bytes;
    }
  }

  /**
   * Sees, every now and then, to those that nobody works on: one that BullMQ gave up on becomes dead letters, one that
   * Redis has lost is queued again.
   */
  async mend(): Promise<void> {
    if (Date.now() < this.#mendAtMs) return;
    const { runId, queue, ledger, onNotice } = this.#options;
    await this.forgetDone();
    const { failed, missing } = await queue.unattended(runId, [...this.#jobs.keys()]);
    for (const batch of failed) await this.#abandon(batch);
    // One that was finished in between has its bit by now.
    const lost = await ledger.pendingBatches(runId, missing);
    if (lost.length > 0) {
      await this.#enqueueAgain(lost);
      onNotice?.(
        `Redis had lost ${lost.length} batches of the run that it had acknowledged, as after a power cut or a failover: ` +
          `they are queued again.`,
      );
    }
    this.#mendAtMs = this.#nextMendMs();
  }

  #nextMendMs(): number {
    return Date.now() + (this.#options.mendEveryMs ?? MEND_EVERY_MS);
  }

  async #abandon(batch: FailedBatch): Promise<void> {
    const { runId, queue, ledger, signingKeys = null } = this.#options;
    const [pending] = await ledger.pendingBatches(runId, [batch.batchIndex]);
    if (pending !== undefined) await abandonFailedBatch(runId, batch, ledger, signingKeys);
    // Its dead letters say more, and keep what it takes to try again.
    await queue.remove(runId, [batch.batchIndex]);
  }

  async #enqueueAgain(batchIndexes: readonly number[]): Promise<void> {
    const { runId, queue, ledger, signal } = this.#options;
    await ledger.assertRunning(runId);
    // What is left of a job would make adding it again do nothing.
    await queue.remove(runId, batchIndexes);
    const jobs = batchIndexes.flatMap((index) => {
      const json = this.#jobs.get(index)?.json;
      return json === undefined ? [] : [decodeJob(JSON.parse(json.toString()))];
    });
    await queue.enqueue(jobs, { signal });
  }
}

export function runLost(runId: string): EmbedlineError {
  return new EmbedlineError(
    'RUN_LOST',
    `Redis has lost the run (${runId}): it was emptied or restarted without its data. Nothing wrong was written. ` +
      `Switch on persistence (appendonly yes), then ingest again: that costs only the difference.`,
  );
}

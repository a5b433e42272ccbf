import { setTimeout as delay } from 'node:timers/promises';
import {
  chunkRecordsOf,
  decodeJob,
  EmbedlineError,
  giveUpChunk,
  isComplete,
  jobBytes,
  type BatchQueue,
  type DeadLetter,
  type FailedBatch,
  type RunLedger,
  type RunProgress,
} from '@embedline/core';

export interface WaitOptions {
  readonly runId: string;
  readonly ledger: RunLedger;
  readonly queue: BatchQueue;
  readonly signal: AbortSignal;
}

const POLL_MS = 150;
/** How often batches that no worker can finish are looked for. */
const RECONCILE_MS = 5_000;

/**
 * Waits until every batch of a sealed run is done. A batch that BullMQ gave up on becomes dead letters; a batch that
 * has neither a job nor its bit means that Redis lost it.
 * @throws EmbedlineError RUN_LOST
 */
export async function waitForBatches(options: WaitOptions): Promise<RunProgress> {
  const { runId, ledger, signal } = options;
  let reconcileAtMs = Date.now() + RECONCILE_MS;
  for (;;) {
    const progress = await ledger.progress(runId);
    if (progress === null) throw lost(runId, 'the run');
    if (isComplete(progress)) return progress;
    if (Date.now() >= reconcileAtMs) {
      await reconcile(progress, options);
      reconcileAtMs = Date.now() + RECONCILE_MS;
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

async function reconcile({ producer }: RunProgress, { runId, ledger, queue }: WaitOptions): Promise<void> {
  for (const failed of await queue.failed(runId)) {
    if (!(await ledger.isBatchDone(runId, failed.batchIndex))) await abandon(runId, failed, ledger);
  }
  const pending = await ledger.pendingBatches(runId, producer.batchesTotal);
  const missing = await queue.missing(runId, pending);
  // One that was finished in between has its bit by now.
  const gone = await Promise.all(missing.map((index) => ledger.isBatchDone(runId, index)));
  const lostCount = gone.filter((done) => !done).length;
  if (lostCount > 0) throw lost(runId, `${lostCount} batches of the run`);
}

/** @see abandonBatch of the worker, which does the same when it is there to see the batch fail */
async function abandon(runId: string, failed: FailedBatch, ledger: RunLedger): Promise<void> {
  const { batchIndex } = failed;
  const nothing = { chunksEmbedded: 0, tokensEmbedded: 0 };
  const { letters, bytes } = describe(failed, runId);
  await ledger.completeBatch({
    runId,
    batchIndex,
    workerId: 'producer',
    result: { ...nothing, bytes },
    deadLetters: letters,
  });
}

function describe(failed: FailedBatch, runId: string): { letters: DeadLetter[]; bytes: number } {
  const common = {
    stage: 'embed' as const,
    code: 'EMBEDDING_FAILED',
    reason: failed.reason.slice(0, 1000),
    attempts: failed.attempts,
  };
  try {
    const job = decodeJob(failed.data);
    const letters = chunkRecordsOf(job, '').map((chunk) => giveUpChunk(chunk, { ...common, runId }));
    return { letters, bytes: jobBytes(job) };
  } catch {
    // The job itself is unreadable: the batch as a whole is what can be named.
    const key = `batch:${runId}:${failed.batchIndex}`;
    const nothing = { documentId: null, chunkIndex: null, origin: null, excerpt: null };
    return { letters: [{ ...common, ...nothing, key }], bytes: 0 };
  }
}

function lost(runId: string, what: string): EmbedlineError {
  return new EmbedlineError(
    'RUN_LOST',
    `Redis has lost ${what} (${runId}): it was emptied or restarted without its data. Nothing wrong was written. ` +
      `Switch on persistence (appendonly yes), then ingest again: that costs only the difference.`,
  );
}

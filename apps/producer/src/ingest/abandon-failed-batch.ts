import {
  chunkRecordsOf,
  giveUpChunk,
  jobBytes,
  openJob,
  type DeadLetter,
  type FailedBatch,
  type RunLedger,
  type SigningKeys,
  cutText,
} from '@embedline/core';

/**
 * Makes dead letters of a batch that BullMQ gave up on.
 * @see abandon-batch.ts of the worker, which does the same when it is there to see the batch fail
 */
export async function abandonFailedBatch(
  runId: string,
  failed: FailedBatch,
  ledger: RunLedger,
  keys: SigningKeys | null,
): Promise<void> {
  const { batchIndex } = failed;
  const { letters, bytes } = describe(failed, runId, keys);
  await ledger.completeBatch({
    runId,
    batchIndex,
    workerId: 'producer',
    result: { chunksEmbedded: 0, tokensEmbedded: 0, bytes },
    deadLetters: letters,
  });
}

function describe(
  failed: FailedBatch,
  runId: string,
  keys: SigningKeys | null,
): { letters: DeadLetter[]; bytes: number } {
  const common = {
    stage: 'embed' as const,
    code: 'EMBEDDING_FAILED',
    reason: cutText(failed.reason, 1000),
    attempts: failed.attempts,
  };
  try {
    const job = openJob(failed.data, keys);
    const letters = chunkRecordsOf(job, '').map((chunk) => giveUpChunk(chunk, { ...common, runId }, job));
    return { letters, bytes: jobBytes(job) };
  } catch {
    // The job itself is unreadable: the batch as a whole is what can be named.
    const key = `batch:${runId}:${failed.batchIndex}`;
    const nothing = { documentId: null, chunkIndex: null, origin: null, excerpt: null };
    return { letters: [{ ...common, ...nothing, code: 'JOB_INVALID', key }], bytes: 0 };
  }
}

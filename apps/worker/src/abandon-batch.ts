import {
  chunkRecordsOf,
  giveUpChunk,
  isEmbedlineError,
  jobBytes,
  messageOf,
  openJob,
  redactSecrets,
  type CompletedBatch,
  type DeadLetter,
  type RunLedger,
  type SigningKeys,
} from '@embedline/core';
import type { TakenBatch } from './run-queue.ts';

export interface AbandonedBatch {
  readonly runId: string;
  readonly batchIndex: number;
  readonly batch: Pick<TakenBatch, 'data' | 'attemptsMade'>;
  readonly error: unknown;
}

export interface AbandonOptions {
  readonly ledger: RunLedger;
  readonly workerId: string;
  readonly signingKeys?: SigningKeys | null | undefined;
}

/**
 * For a batch that was given up on as a whole: every chunk becomes a dead letter, and the batch counts as done. A job that
 * does not hold what it says is not kept to be tried again: only the corpus tells what it should hold.
 * @throws EmbedlineError JOB_INVALID when the run has no such batch
 */
export async function abandonBatch(
  abandoned: AbandonedBatch,
  { ledger, workerId, signingKeys = null }: AbandonOptions,
): Promise<void> {
  const { runId, batchIndex } = abandoned;
  const { letters, bytes } = describe(abandoned, signingKeys);
  const result = { chunksEmbedded: 0, tokensEmbedded: 0, bytes };
  await ledger.completeBatch({ runId, batchIndex, workerId, result, deadLetters: letters });
}

function describe(
  abandoned: AbandonedBatch,
  keys: SigningKeys | null,
): { letters: CompletedBatch['deadLetters']; bytes: number } {
  const { runId, batchIndex, batch, error } = abandoned;
  const code = isEmbedlineError(error) ? error.code : 'EMBEDDING_FAILED';
  const reason = redactSecrets(messageOf(error));
  const common = { stage: 'embed' as const, code, reason, attempts: batch.attemptsMade + 1 };
  try {
    const job = openJob(batch.data, keys);
    const letters = chunkRecordsOf(job, '').map((chunk) => giveUpChunk(chunk, { ...common, runId }, job));
    return { letters: code === 'JOB_INVALID' ? letters.map(withoutJob) : letters, bytes: jobBytes(job) };
  } catch {
    // The job is not readable: the batch as a whole is what can be named.
    const nothing = { documentId: null, chunkIndex: null, origin: null, excerpt: null };
    return { letters: [{ ...common, ...nothing, key: `batch:${runId}:${batchIndex}` }], bytes: 0 };
  }
}

function withoutJob({ job: _job, ...letter }: ReturnType<typeof giveUpChunk>): DeadLetter {
  return letter;
}

import {
  EmbedlineError,
  isEmbedlineError,
  mayHaveId,
  messageOf,
  parseJobId,
  redactError,
  type Logger,
  type RunLedger,
  type SigningKeys,
} from '@embedline/core';
import type { HeldBatch } from './batch-locks.ts';
import { hasEnded } from './has-ended.ts';
import { abandonBatch } from './abandon-batch.ts';
import type { TakenBatch } from './run-queue.ts';
import type { ServedRuns } from './served-runs.ts';

export interface FailureContext {
  readonly ledger: RunLedger;
  readonly workerId: string;
  readonly served: Pick<ServedRuns, 'refuse'>;
  /** Fires when this worker stops, and gives back what it has begun. */
  readonly handBack: AbortSignal;
  readonly logger: Logger;
  readonly signingKeys?: SigningKeys | null | undefined;
}

export interface FailedWork {
  readonly runId: string;
  readonly batch: TakenBatch;
  readonly held: HeldBatch;
  readonly error: unknown;
}

/** Errors that this worker, its store or the run as a whole is the cause of, not the batch: others may do better. */
const REFUSALS = new Set([
  'STORE_MISMATCH',
  'STORE_UNAUTHORIZED',
  'STORE_UNSUITABLE',
  'COLLECTION_NOT_FOUND',
  'MODEL_NOT_FOUND',
  'MODEL_MISMATCH',
  'MODEL_INVALID',
  'RUN_INVALID',
  'VERSION_UNSUPPORTED',
  'SIGNATURE_REFUSED',
]);

/**
 * What becomes of a batch that could not be done: a refusal and a stop give it back and count nothing, a batch of an ended
 * run is dropped, and everything else is an attempt.
 */
export async function settleFailure(work: FailedWork, context: FailureContext): Promise<void> {
  const { batch, held, runId, error } = work;
  const { ledger, served, handBack } = context;
  // Another worker has it.
  if (held.signal.aborted) return;
  held.settle();
  const isRefusal = isEmbedlineError(error) && REFUSALS.has(error.code);
  if (handBack.aborted && !isRefusal) return batch.handBack();
  if (isEmbedlineError(error, 'RUN_LOST') || (await hasEnded(runId, ledger))) return drop(batch, error);
  if (isStray(work) || isForged(error, context)) {
    await tellStray(runId, context);
    return drop(batch, error);
  }
  if (!isRefusal) return countAttempt(work, context);
  served.refuse(runId, error);
  await batch.handBack();
}

/**
 * A job that stands under another id than its own: counted, it would take the place of the batch that it names.
 * @throws EmbedlineError JOB_INVALID
 */
export function assertOwn(work: Pick<FailedWork, 'batch' | 'runId'>): void {
  if (isStray(work)) throw strayJob(work.runId);
}

function isStray({ batch, runId }: Pick<FailedWork, 'batch' | 'runId'>): boolean {
  return parseJobId(batch.id)?.runId !== runId || !mayHaveId(batch.data, batch.id);
}

/** A worker without a key cannot tell what is forged: it leaves the run to others. */
function isForged(error: unknown, { signingKeys = null }: FailureContext): boolean {
  return signingKeys !== null && isEmbedlineError(error, 'SIGNATURE_REFUSED');
}

async function tellStray(runId: string, { logger, ledger }: FailureContext): Promise<void> {
  const { code, message } = strayJob(runId);
  logger.warn({ runId, code }, message);
  // A Redis that takes no writes for now is no reason to keep the job.
  await ledger.noteRefusedJob(runId).catch(() => undefined);
}

function strayJob(runId: string): EmbedlineError {
  return new EmbedlineError(
    'JOB_INVALID',
    `A job in the queue of run ${runId} is not one that embedline put there. It was dropped, and nothing of it was counted. ` +
      `Something else writes to this Redis: give embedline its own.`,
  );
}

/** Nobody waits for it any more. */
async function drop(batch: TakenBatch, error: unknown): Promise<void> {
  try {
    await batch.fail(redacted(error), { hopeless: true });
    await batch.remove();
  } catch {
    // The queue was dropped meanwhile, and the batch with it.
  }
}

function redacted(error: unknown): Error {
  const safe = redactError(error);
  return safe instanceof Error ? safe : new Error(String(safe));
}

async function countAttempt(work: FailedWork, context: FailureContext): Promise<void> {
  const { batch, error, runId } = work;
  const { logger } = context;
  const hopeless = batch.givenUp !== null || isEmbedlineError(error, 'JOB_INVALID');
  const cause = redacted(error);
  if (!(await batch.fail(cause, { hopeless }))) return;
  try {
    const batchIndex = parseJobId(batch.id)?.batchIndex ?? 0;
    await abandonBatch({ runId, batchIndex, batch, error: cause }, context);
    // Its dead letters say more, and keep what it takes to try again.
    await batch.remove();
    logger.error({ jobId: batch.id, err: cause }, 'Gave up on a batch: its chunks are dead letters');
  } catch (failure) {
    // The run is sealed and has no such batch.
    if (isEmbedlineError(failure, 'JOB_INVALID')) {
      await tellStray(runId, context);
      return batch.remove();
    }
    const message = `Could not record a failed batch: ${messageOf(failure)}`;
    logger.error({ jobId: batch.id, err: failure }, message);
  }
}

import {
  embeddedText,
  giveUpChunk,
  isEmbedlineError,
  jobBytes,
  messageOf,
  openJob,
  provenChunksOf,
  redactSecrets,
  type ChunkRecord,
  type EmbedJob,
  type GivenUpChunk,
  type Patience,
  type Point,
  type RunLedger,
  type SigningKeys,
} from '@embedline/core';
import { isolatePoison, type PoisonItem } from './isolate-poison.ts';
import type { BorrowedRun, OpenRun } from './open-runs.ts';
import { assertEmbedderWorks } from './assert-embedder-works.ts';
import type { RejectionBreaker } from './rejection-breaker.ts';

export interface ProcessorOptions {
  readonly ledger: RunLedger;
  readonly workerId: string;
  /** Waits while a service is away. */
  readonly patience: Patience;
  /** Tells points that are bad from a store that takes none. */
  readonly breaker: RejectionBreaker;
  /** Decide which jobs are done. Defaults to none. */
  readonly signingKeys?: SigningKeys | null | undefined;
}

export interface BatchOutcome {
  readonly counted: boolean;
  readonly chunks: number;
  readonly deadLetters: number;
}

/**
 * One batch: PARSE -> EMBED -> UPSERT -> COUNT. Knows nothing of BullMQ. Each effect is idempotent and they happen in
 * this order, so that a crash between any two is repaired by running the batch again.
 */
export async function processBatch(
  data: unknown,
  borrowed: BorrowedRun,
  signal: AbortSignal,
  options: ProcessorOptions,
): Promise<BatchOutcome> {
  const job = openJob(data, options.signingKeys ?? null);
  if (await options.ledger.isBatchDone(job.runId, job.batchIndex))
    return { counted: false, chunks: 0, deadLetters: 0 };
  const run = await options.patience.waitOut(() => borrowed.open(signal), signal);
  const chunks = provenChunksOf(job, run.spec);
  const embedded = await embed(run, chunks, signal, options);
  signal.throwIfAborted();
  const stored = await upsert(run, embedded.points, signal, options);
  const deadLetters = [
    ...embedded.poison.map((poison) => giveUp(job, poison.item, 'embed', poison)),
    ...stored.poison.map((poison) => giveUp(job, poison.item.chunk, 'upsert', poison)),
  ];
  const { ledger, workerId, patience } = options;
  const { runId, batchIndex } = job;
  const result = {
    chunksEmbedded: stored.points,
    tokensEmbedded: embedded.tokens,
    chunksTruncated: embedded.truncated,
    bytes: jobBytes(job),
  };
  const counted = await patience.waitOut(
    () => ledger.completeBatch({ runId, batchIndex, workerId, result, deadLetters }),
    signal,
  );
  return { counted: counted === 'counted', chunks: stored.points, deadLetters: deadLetters.length };
}

async function embed(
  { spec, embedder }: OpenRun,
  chunks: readonly ChunkRecord[],
  signal: AbortSignal,
  { patience }: ProcessorOptions,
) {
  const prefix = spec.model.passagePrefix;
  const embedTitle = spec.embedTitle === true;
  const attempt = async (items: readonly ChunkRecord[]) => {
    try {
      const { vectors, tokens, truncated } = await embedder.embed(
        items.map((chunk) => prefix + embeddedText(chunk, embedTitle)),
        { signal },
      );
      return vectors.map((vector, index) => ({
        vector,
        tokens: tokens[index] ?? 0,
        truncated: truncated?.[index] === true,
      }));
    } catch (error) {
      // Before one chunk is given up on: a machine without memory fails on every text.
      if (items.length === 1 && isBadText(error)) await assertEmbedderWorks(embedder, error, signal);
      throw error;
    }
  };
  const { processed, poison } = await isolatePoison(
    chunks,
    (items) => patience.waitOut(() => attempt(items), signal),
    isBadText,
  );
  const points: Point[] = processed.map(({ item, result }) => ({ chunk: item, vector: result.vector }));
  return {
    points,
    poison,
    tokens: processed.reduce((sum, { result }) => sum + result.tokens, 0),
    truncated: processed.filter(({ result }) => result.truncated).length,
  };
}

function isBadText(error: unknown): boolean {
  if (isEmbedlineError(error) && error.retryable) return false;
  return isEmbedlineError(error, 'EMBEDDING_FAILED') || isEmbedlineError(error, 'EMBEDDING_INVALID');
}

async function upsert(
  { spec: { runSequence }, points: target }: OpenRun,
  points: readonly Point[],
  signal: AbortSignal,
  { patience, breaker }: ProcessorOptions,
) {
  const write = (items: readonly Point[]) =>
    breaker.watch(items.length, () => target.upsert(items, { runSequence, signal }));
  const { processed, poison } = await isolatePoison(
    points,
    async (items) => {
      await patience.waitOut(() => write(items), signal);
      return items.map(() => true);
    },
    (error) => isEmbedlineError(error, 'STORE_REJECTED'),
  );
  return { points: processed.length, poison };
}

function giveUp(
  job: EmbedJob,
  chunk: ChunkRecord,
  stage: GivenUpChunk['stage'],
  { error, attempts }: PoisonItem<unknown>,
): GivenUpChunk {
  const code = isEmbedlineError(error) ? error.code : 'EMBEDDING_FAILED';
  const reason = redactSecrets(messageOf(error));
  return giveUpChunk(chunk, { runId: job.runId, stage, code, reason, attempts }, job);
}

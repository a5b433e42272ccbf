import {
  chunkRecordsOf,
  decodeJob,
  isEmbedlineError,
  jobBytes,
  messageOf,
  redactSecrets,
  type ChunkRecord,
  type DeadLetter,
  type EmbedJob,
  type Point,
  type RunLedger,
} from '@embedline/core';
import { isolatePoison, type PoisonItem } from './isolate-poison.ts';
import type { OpenRun, RunSource } from './open-runs.ts';
import { waitOutOutage } from './wait-out-outage.ts';

export interface ProcessorOptions {
  readonly ledger: RunLedger;
  readonly runs: RunSource;
  readonly workerId: string;
  /** Told when the worker waits for a service, and when that ends (null). */
  readonly onWaiting: (error: Error | null) => void;
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
  signal: AbortSignal,
  options: ProcessorOptions,
): Promise<BatchOutcome> {
  const job = decodeJob(data);
  if (await options.ledger.isBatchDone(job.runId, job.batchIndex))
    return { counted: false, chunks: 0, deadLetters: 0 };
  const run = await options.runs.open(job.runId, signal);
  const chunks = chunkRecordsOf(job, run.spec.pipeline);
  const embedded = await embed(run, chunks, signal);
  signal.throwIfAborted();
  const stored = await upsert(run, embedded.points, signal, options.onWaiting);
  const deadLetters = [
    ...embedded.poison.map((poison) => deadLetterOf(poison.item, 'embed', poison)),
    ...stored.poison.map((poison) => deadLetterOf(poison.item.chunk, 'upsert', poison)),
  ];
  const counted = await waitOutOutage(
    () => count(job, embedded.tokens, stored.points, deadLetters, options),
    { signal, onWaiting: options.onWaiting },
  );
  return { counted, chunks: stored.points, deadLetters: deadLetters.length };
}

/** For a batch that was given up on as a whole: every chunk becomes a dead letter, and the batch counts as done. */
export async function abandonBatch(
  data: unknown,
  error: unknown,
  attempts: number,
  options: Pick<ProcessorOptions, 'ledger' | 'workerId'>,
): Promise<void> {
  const job = decodeJob(data);
  const deadLetters = chunkRecordsOf(job, '').map((item) =>
    deadLetterOf(item, 'embed', { item, error, attempts }),
  );
  await count(job, 0, 0, deadLetters, options);
}

async function embed(run: OpenRun, chunks: readonly ChunkRecord[], signal: AbortSignal) {
  const prefix = run.spec.model.passagePrefix;
  const { processed, poison } = await isolatePoison(
    chunks,
    async (items) => {
      const { vectors, tokens } = await run.embedder.embed(
        items.map((chunk) => prefix + chunk.text),
        { signal },
      );
      return vectors.map((vector, index) => ({ vector, tokens: tokens[index] ?? 0 }));
    },
    (error) => isEmbedlineError(error, 'EMBEDDING_FAILED') || isEmbedlineError(error, 'EMBEDDING_INVALID'),
  );
  const points: Point[] = processed.map(({ item, result }) => ({ chunk: item, vector: result.vector }));
  return { points, poison, tokens: processed.reduce((sum, { result }) => sum + result.tokens, 0) };
}

async function upsert(
  run: OpenRun,
  points: readonly Point[],
  signal: AbortSignal,
  onWaiting: ProcessorOptions['onWaiting'],
) {
  const { processed, poison } = await isolatePoison(
    points,
    async (items) => {
      await waitOutOutage(() => run.points.upsert(items, { runSequence: run.spec.runSequence, signal }), {
        signal,
        onWaiting,
      });
      return items.map(() => true);
    },
    (error) => isEmbedlineError(error, 'STORE_REJECTED'),
  );
  return { points: processed.length, poison };
}

async function count(
  job: EmbedJob,
  tokensEmbedded: number,
  chunksEmbedded: number,
  deadLetters: readonly DeadLetter[],
  { ledger, workerId }: Pick<ProcessorOptions, 'ledger' | 'workerId'>,
): Promise<boolean> {
  const result = { chunksEmbedded, tokensEmbedded, bytes: jobBytes(job) };
  const { runId, batchIndex } = job;
  return (await ledger.completeBatch({ runId, batchIndex, workerId, result, deadLetters })) === 'counted';
}

function deadLetterOf(
  chunk: ChunkRecord,
  stage: DeadLetter['stage'],
  poison: PoisonItem<unknown>,
): DeadLetter {
  return {
    key: chunk.id,
    stage,
    code: isEmbedlineError(poison.error) ? poison.error.code : 'EMBEDDING_FAILED',
    reason: redactSecrets(messageOf(poison.error)).slice(0, 1000),
    documentId: chunk.documentId,
    chunkIndex: chunk.chunkIndex,
    origin: null,
    excerpt: chunk.text.slice(0, 200).toWellFormed(),
    attempts: poison.attempts,
  };
}

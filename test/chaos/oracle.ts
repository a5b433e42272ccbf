import { readFile } from 'node:fs/promises';
import {
  pointId,
  type DeadLetter,
  type GenerationPoints,
  type RunLedger,
  type RunProgress,
  type VectorStore,
} from '@embedline/core';
import { fakeVector } from '../support/fake-embedder.ts';
import type { ChaosCorpus } from './corpus.ts';

export interface Verdict {
  readonly chunks: number;
  readonly batches: number;
  readonly lost: number;
  /** Points that are not of the corpus, or hold another text or vector than they must. */
  readonly wrong: number;
  readonly countedTwice: number;
  readonly deadLettersPlanted: number;
  readonly deadLettersFound: number;
  /** Reasons of dead letters that nobody planted, each with how often it was given. */
  readonly otherDeadLetters: Readonly<Record<string, number>>;
  /** Texts embedded more than once, as a share of all: the price of at-least-once execution. */
  readonly duplicateWork: number;
}

export interface OracleOptions {
  readonly corpus: ChaosCorpus;
  /** Documents that were fed. */
  readonly documents: number;
  readonly store: VectorStore;
  readonly ledger: RunLedger;
  readonly run: RunProgress;
  /** Where the workers logged how many texts they embedded. */
  readonly log: string;
}

/** Compares what is stored and counted with what the corpus demands, point by point. */
export async function judge(options: OracleOptions): Promise<Verdict> {
  const { corpus, documents, run, ledger } = options;
  const indexes = Array.from({ length: documents }, (_, index) => index);
  const planted = new Set(indexes.filter((index) => corpus.isPoison(index)).map((index) => `d-${index}`));
  const { right, wrong } = await comparePoints(options);
  const letters = await ledger.deadLetters(run.spec.runId);
  const found = letters.filter(({ documentId }) => planted.has(documentId ?? ''));
  const { batchesTotal, chunksEnqueued } = run.producer;
  const countedByWorkers = run.byWorker.reduce((sum, { batches }) => sum + batches, 0);
  const chunksByWorkers = run.byWorker.reduce((sum, { chunks }) => sum + chunks, 0);
  const embedded = await countEmbedded(options.log, run.spec.model.id);
  return {
    chunks: documents,
    batches: batchesTotal,
    lost: documents - planted.size - right,
    wrong,
    countedTwice:
      Math.abs(countedByWorkers - batchesTotal) +
      Math.abs(run.workers.batchesDone - batchesTotal) +
      Math.abs(chunksByWorkers + run.deadLetters - chunksEnqueued),
    deadLettersPlanted: planted.size,
    deadLettersFound: found.length,
    otherDeadLetters: countReasons(letters.filter((letter) => !found.includes(letter))),
    duplicateWork: (embedded - chunksEnqueued) / chunksEnqueued,
  };
}

async function comparePoints(options: OracleOptions): Promise<{ right: number; wrong: number }> {
  const { store, run } = options;
  const live = (await store.generations(run.spec.collection)).find((generation) => generation.live);
  if (live === undefined) return { right: 0, wrong: 0 };
  const points = await store.open(live);
  let [right, all] = [0, 0];
  for await (const page of points.scan()) {
    for (let start = 0; start < page.length; start += 500) {
      const ids = page.slice(start, start + 500).map(({ id }) => id);
      all += ids.length;
      right += await countRight(points, ids, options);
    }
  }
  await points.close();
  return { right, wrong: all - right };
}

async function countRight(
  points: GenerationPoints,
  ids: readonly string[],
  { corpus, documents, run: { spec } }: OracleOptions,
): Promise<number> {
  const found = await points.retrieve(ids);
  return [...found].filter(([id, { chunk, vector }]) => {
    const index = corpus.indexOf(chunk.documentId);
    const { text } = corpus.record(index);
    if (index >= documents || corpus.isPoison(index) || chunk.text !== text) return false;
    if (id !== pointId(spec.pipeline, chunk.documentId, 0)) return false;
    // Qdrant normalises once more, in 32 bits.
    return fakeVector(spec.model, text).every(
      (value, position) => Math.abs(value - (vector[position] ?? 2)) < 1e-6,
    );
  }).length;
}

function countReasons(letters: readonly DeadLetter[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of letters) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

async function countEmbedded(log: string, modelId: string): Promise<number> {
  const lines = (await readFile(log, 'utf8')).trim().split('\n');
  return lines.reduce((sum, line) => {
    const [texts, model] = line.split(' ');
    return model === modelId ? sum + Number(texts) : sum;
  }, 0);
}

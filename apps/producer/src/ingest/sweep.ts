import { EmbedlineError, type GenerationPoints } from '@embedline/core';
import type { SeenDocuments } from './seen-documents.ts';

export interface SweepOptions {
  readonly pipeline: string;
  readonly points: GenerationPoints;
  readonly seen: SeenDocuments;
  readonly runSequence: number;
  readonly signal: AbortSignal;
  /** Points that the pipeline has if there is nothing to sweep; null when that is not known. */
  readonly expectedPoints: number | null;
  /** Largest share of the pipeline's points that may be deleted, 0 to 1; 1 for a generation that nobody reads yet. */
  readonly maxDeleteShare: number;
}

export interface SweepResult {
  readonly chunksRemoved: number;
  readonly documentsRemoved: number;
}

const DELETE_SIZE = 1000;
/** Ids of points to delete are kept in memory up to here; beyond, the scan is repeated to delete. */
const MAX_COLLECTED = 1_000_000;

/**
 * Deletes the points of documents that are gone and the chunks beyond a document's new end. Two passes: first the
 * points are counted, and only if they are few enough is anything deleted.
 * @throws EmbedlineError DELETE_GUARD with the count and the option that approves it; then nothing was deleted
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { points, pipeline, signal } = options;
  const total = await points.count({ pipeline, signal });
  // Every point that shall be there is there; if there are no others, a scan would find nothing.
  if (total === options.expectedPoints) return { chunksRemoved: 0, documentsRemoved: 0 };
  const found = await findSwept(options);
  if (found.points > total * options.maxDeleteShare) throw guard(found, total, options);
  const write = { runSequence: options.runSequence, signal };
  if (found.ids !== null) {
    for (let start = 0; start < found.ids.length; start += DELETE_SIZE) {
      await points.delete(found.ids.slice(start, start + DELETE_SIZE), write);
    }
  } else {
    for await (const page of points.scan({ pipeline, signal })) {
      const ids = page
        .filter((point) => options.seen.judge(point.documentId, point.chunkIndex) !== 'current')
        .map(({ id }) => id);
      if (ids.length > 0) await points.delete(ids, write);
    }
  }
  return { chunksRemoved: found.points, documentsRemoved: found.documents };
}

export interface Swept {
  readonly points: number;
  /** Those of documents that are gone; the others are beyond the end of documents that became shorter. */
  readonly vanishedPoints: number;
  readonly documents: number;
  /** Null when there are too many to keep. */
  readonly ids: readonly string[] | null;
}

/** What a sweep would delete; deletes nothing. */
export async function findSwept({
  points,
  pipeline,
  seen,
  signal,
}: Pick<SweepOptions, 'points' | 'pipeline' | 'seen' | 'signal'>): Promise<Swept> {
  const ids: string[] = [];
  const documents = new Set<string>();
  let count = 0;
  let vanishedPoints = 0;
  for await (const page of points.scan({ pipeline, signal })) {
    for (const { id, documentId, chunkIndex } of page) {
      const verdict = seen.judge(documentId, chunkIndex);
      if (verdict === 'current') continue;
      count += 1;
      if (count <= MAX_COLLECTED) ids.push(id);
      if (verdict !== 'vanished') continue;
      vanishedPoints += 1;
      documents.add(documentId);
    }
  }
  return {
    points: count,
    vanishedPoints,
    documents: documents.size,
    ids: count <= MAX_COLLECTED ? ids : null,
  };
}

function guard(found: Swept, total: number, { maxDeleteShare, pipeline }: SweepOptions): EmbedlineError {
  const share = (100 * found.points) / Math.max(total, 1);
  const needed = Math.ceil(share);
  return new EmbedlineError(
    'DELETE_GUARD',
    `Nothing was deleted: ${found.points} of the ${total} points of ${pipeline} (${share.toFixed(1)} %, of ${found.documents} ` +
      `documents that are gone) would go, more than the ${(maxDeleteShare * 100).toFixed(0)} % allowed. Everything else is done. ` +
      `If the corpus has really shrunk, run again with --max-delete ${needed}%.`,
  );
}

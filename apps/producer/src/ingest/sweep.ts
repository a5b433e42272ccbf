import { EmbedlineError } from '@embedline/core';
import { approvingPercent, exceedsShare, showShare } from './delete-guard.ts';
import { findSwept, surplusOfRead, sweptPages, type FindSweptOptions, type Swept } from './find-swept.ts';

export interface SweepOptions extends FindSweptOptions {
  readonly runSequence: number;
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
  if (exceedsShare(found.points, total, options.maxDeleteShare)) throw guard(found, total, options);
  await deletePoints(found, options);
  return { chunksRemoved: found.points, documentsRemoved: found.documents };
}

/**
 * The sweep of a partial reading: deletes what lies beyond the new end of the documents that were read, and nothing of
 * any other.
 */
export async function sweepRead(
  options: FindSweptOptions & { readonly runSequence: number },
): Promise<SweepResult> {
  const { points, runSequence, signal } = options;
  let chunksRemoved = 0;
  for await (const ids of surplusOfRead(options)) {
    await points.delete(ids, { runSequence, signal });
    chunksRemoved += ids.length;
  }
  return { chunksRemoved, documentsRemoved: 0 };
}

async function deletePoints({ ids }: Swept, options: SweepOptions): Promise<void> {
  const { points, runSequence, signal } = options;
  if (ids === null) {
    for await (const page of sweptPages(options))
      if (page.length > 0) await points.delete(page, { runSequence, signal });
    return;
  }
  for (let start = 0; start < ids.length; start += DELETE_SIZE)
    await points.delete(ids.slice(start, start + DELETE_SIZE), { runSequence, signal });
}

function guard(found: Swept, total: number, { maxDeleteShare, pipeline }: SweepOptions): EmbedlineError {
  const percent = approvingPercent(found.points, total);
  return new EmbedlineError(
    'DELETE_GUARD',
    `Nothing was deleted: ${found.points} of the ${total} points of ${pipeline} (${showShare(found.points / Math.max(total, 1))}, of ${found.documents} ` +
      `documents that are gone) would go, more than the ${showShare(maxDeleteShare)} allowed. Everything else is done. ` +
      `If the corpus has really shrunk, run again with --max-delete ${percent}%.`,
  );
}

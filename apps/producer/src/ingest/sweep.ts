import { findSwept, surplusOfRead, sweptPages, type FindSweptOptions, type Swept } from './find-swept.ts';

export interface SweepOptions extends FindSweptOptions {
  readonly runSequence: number;
  /** Points that the pipeline has if there is nothing to sweep; null when that is not known. */
  readonly expectedPoints: number | null;
  /** Throws when what was found may not be deleted, of so many points that the pipeline has. */
  readonly approve: (found: Swept, pointsNow: number) => Promise<void>;
}

export interface SweepResult {
  readonly chunksRemoved: number;
  readonly documentsRemoved: number;
}

const DELETE_SIZE = 1000;

/**
 * Deletes the points of documents that are gone and the chunks beyond a document's new end. Two passes: first the
 * points are counted, and only if that is approved is anything deleted.
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { points, pipeline, signal } = options;
  const total = await points.count({ pipeline, signal });
  // Every point that must be there is there; if there are no others, a scan would find nothing.
  if (total === options.expectedPoints) return { chunksRemoved: 0, documentsRemoved: 0 };
  const found = await findSwept(options);
  await options.approve(found, total);
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

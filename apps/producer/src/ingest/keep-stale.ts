import type { GenerationPoints, WriteOptions } from '@embedline/core';
import type { AwaitedChunks } from './awaited-chunks.ts';
import { heldPages } from './find-swept.ts';
import type { SeenDocuments } from './seen-documents.ts';
import { LOOKUP_SIZE } from './vectors-by-text-hash.ts';

export interface KeepStaleOptions {
  readonly pipeline: string;
  /** Where the run wrote. */
  readonly points: GenerationPoints;
  readonly awaited: AwaitedChunks;
  /** Is told how many chunks of each document were given up on. */
  readonly seen: SeenDocuments;
  readonly runSequence: number;
  readonly signal: AbortSignal;
}

export interface KeptStale {
  /** Chunks that have no point with their text. */
  readonly givenUp: number;
  /** Points that stay as they were, and are marked. */
  readonly kept: number;
}

/**
 * What was given up on costs readers nothing: at each place of a document where the new chunk could not be made, the old
 * point stays, marked as stale; so do the points beyond its new end. The next ingest finds them changed, and replaces
 * or removes them.
 */
export async function keepStale(options: KeepStaleOptions): Promise<KeptStale> {
  const { points, awaited, seen, runSequence, signal } = options;
  let [givenUp, kept] = [0, 0];
  for await (const page of awaited.givenUp(points, signal)) {
    for (const { documentId } of page) seen.giveUp(documentId);
    const old = page.flatMap(({ id, oldTextHash }) =>
      oldTextHash === null ? [] : [{ id, textHash: oldTextHash }],
    );
    await points.markStale(old, { runSequence, signal });
    givenUp += page.length;
    kept += old.length;
  }
  if (givenUp > 0) {
    for await (const ids of heldPages(options)) {
      await markAll(ids, points, { runSequence, signal });
      kept += ids.length;
    }
  }
  return { givenUp, kept };
}

async function markAll(ids: readonly string[], points: GenerationPoints, write: WriteOptions): Promise<void> {
  for (let start = 0; start < ids.length; start += LOOKUP_SIZE) {
    const found = await points.fingerprints(ids.slice(start, start + LOOKUP_SIZE), write);
    await points.markStale([...found.values()], write);
  }
}

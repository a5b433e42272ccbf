import { hostname } from 'node:os';
import {
  acquireRunLock,
  describeLockHolder,
  EmbedlineError,
  nextRunSequence,
  type Releasers,
  type Generation,
  type GenerationPoints,
  type WriteOptions,
} from '@embedline/core';
import { claimWhenFree, type ClaimContext, type Obstacle } from './claim-collection.ts';
import { liveGeneration } from './live-generation.ts';

export interface ChangeOptions extends ClaimContext {
  readonly collection: string;
  readonly pipeline: string;
  /** What is done, for whoever has to wait for it. */
  readonly doing: string;
}

/**
 * Changes points of a pipeline outside of a run, as safely as a run does: under the pipeline's lock, with a sequence of
 * its own, and not while the collection is being built anew.
 * @throws EmbedlineError RUN_LOCKED unless `wait`; COLLECTION_NOT_FOUND; USAGE for a pipeline that the collection has not
 */
export async function changePoints<T>(
  options: ChangeOptions,
  change: (points: GenerationPoints, write: WriteOptions) => Promise<T>,
): Promise<T> {
  const claim = await claimWhenFree<PointsClaim>(options, (held) => claimPoints(held, options));
  try {
    const runSequence = await nextRunSequence(options.redis, options.prefix);
    return await change(claim.points, {
      runSequence,
      signal: AbortSignal.any([options.signal, claim.signal]),
    });
  } finally {
    await claim.held.release();
  }
}

interface PointsClaim {
  readonly points: GenerationPoints;
  readonly signal: AbortSignal;
  readonly held: Releasers;
}

async function claimPoints(held: Releasers, options: ChangeOptions): Promise<PointsClaim | Obstacle> {
  const { redis, prefix, store, collection, pipeline, doing, wait, signal, onNotice } = options;
  const owner = { host: hostname(), pid: process.pid, runId: '', doing };
  const scope = `pipeline:${pipeline}`;
  const lock = await acquireRunLock({ redis, prefix, scope, owner, wait, signal, onWaiting: onNotice });
  held.add(() => lock.release());
  const obstacle = await describeLockHolder({ redis, prefix, scope: `collection:${collection}` });
  if (obstacle !== null) return { obstacle };
  // Only now: whoever was waited for may have published another one.
  const generation = await liveGeneration(store, collection);
  assertHas(generation, pipeline);
  return { held, signal: lock.signal, points: held.own(await store.open(generation, { signal })) };
}

function assertHas({ collection, manifest }: Generation, pipeline: string): void {
  if (manifest.pipelines[pipeline] !== undefined) return;
  throw new EmbedlineError(
    'USAGE',
    `Collection ${collection} has no points of a pipeline ${JSON.stringify(pipeline)}; it has those of ` +
      `${Object.keys(manifest.pipelines).join(', ')}. Say whose with --pipeline.`,
  );
}

export interface DeletedDocuments {
  readonly documents: number;
  readonly chunks: number;
  /** Ids that the pipeline has no points of. */
  readonly notFound: readonly string[];
}

/** Deletes every point of some documents. Deleting what is not there is fine, and told. */
export function deleteDocuments(ids: readonly string[], options: ChangeOptions): Promise<DeletedDocuments> {
  const { pipeline } = options;
  return changePoints(options, async (points, write) => {
    const notFound: string[] = [];
    let chunks = 0;
    const wanted = new Set(ids);
    for (const documentId of wanted) {
      let found = 0;
      for await (const page of points.scan({ pipeline, documentId, signal: write.signal })) {
        await points.delete(
          page.map(({ id }) => id),
          write,
        );
        found += page.length;
      }
      chunks += found;
      if (found === 0) notFound.push(documentId);
    }
    return { documents: wanted.size - notFound.length, chunks, notFound };
  });
}

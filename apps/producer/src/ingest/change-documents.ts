import { hostname } from 'node:os';
import {
  acquireRunLock,
  describeLockHolder,
  EmbedlineError,
  nextRunSequence,
  Releasers,
  type Generation,
  type GenerationPoints,
  type Redis,
  type VectorStore,
  type WriteOptions,
} from '@embedline/core';

export interface ChangeOptions {
  readonly store: VectorStore;
  readonly redis: Redis;
  readonly prefix: string;
  /** The live generation of the collection. */
  readonly generation: Generation;
  readonly pipeline: string;
  /** Wait for a run of the pipeline instead of failing. */
  readonly wait: boolean;
  readonly signal: AbortSignal;
  readonly onNotice: (message: string) => void;
}

/**
 * Changes points of a pipeline outside of a run, as safely as a run does: under the pipeline's lock, with a sequence of
 * its own, and not while the collection is being built anew.
 * @throws EmbedlineError RUN_LOCKED
 */
export async function changePoints<T>(
  options: ChangeOptions,
  change: (points: GenerationPoints, write: WriteOptions) => Promise<T>,
): Promise<T> {
  await using releasers = new Releasers();
  const { redis, prefix, store, generation, signal } = options;
  const lock = await acquireRunLock({
    redis,
    prefix,
    scope: `pipeline:${options.pipeline}`,
    owner: { host: hostname(), pid: process.pid, runId: 'a change of single documents' },
    wait: options.wait,
    signal,
    onWaiting: options.onNotice,
  });
  releasers.add(() => lock.release());
  const builder = await describeLockHolder({ redis, prefix, scope: `collection:${generation.collection}` });
  if (builder !== null) throw new EmbedlineError('RUN_LOCKED', builder);
  const points = releasers.own(await store.open(generation, { signal }));
  const runSequence = await nextRunSequence(redis, prefix);
  return await change(points, { runSequence, signal: AbortSignal.any([signal, lock.signal]) });
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

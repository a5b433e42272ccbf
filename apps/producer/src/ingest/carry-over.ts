import { EmbedlineError, type Generation, type GenerationPoints, type VectorStore } from '@embedline/core';
import { LOOKUP_SIZE } from './vectors-by-text-hash.ts';

export interface CarryOverOptions {
  readonly store: VectorStore;
  /** What readers see now. */
  readonly live: Generation;
  readonly target: { readonly generation: Generation; readonly points: GenerationPoints };
  /** Whose points move along. */
  readonly pipelines: readonly string[];
  readonly runSequence: number;
  readonly signal: AbortSignal;
}

const COPY_SIZE = 500;

/**
 * Other pipelines of a collection move along when it is built anew: their points are copied, vectors and all. What an
 * earlier attempt copied and they have deleted since does not come back.
 * @throws EmbedlineError STORE_MISMATCH when not every point has arrived
 */
export async function carryOver(options: CarryOverOptions): Promise<void> {
  const { store, live, target, pipelines, signal } = options;
  const source = await store.open(live, { signal });
  try {
    for (const pipeline of pipelines) {
      await deleteGone(pipeline, source, options);
      await copy(pipeline, source, options);
      await store.recordPipeline(target.generation, pipeline, live.manifest.pipelines[pipeline] ?? '');
      await assertArrived(pipeline, source, options);
    }
  } finally {
    await source.close();
  }
}

async function deleteGone(
  pipeline: string,
  source: GenerationPoints,
  { target, runSequence, signal }: CarryOverOptions,
): Promise<void> {
  for await (const page of target.points.scan({ pipeline, signal })) {
    for (let start = 0; start < page.length; start += LOOKUP_SIZE) {
      const ids = page.slice(start, start + LOOKUP_SIZE).map(({ id }) => id);
      const there = await source.fingerprints(ids, { signal });
      const gone = ids.filter((id) => !there.has(id));
      if (gone.length > 0) await target.points.delete(gone, { runSequence, signal });
    }
  }
}

async function copy(
  pipeline: string,
  source: GenerationPoints,
  { target, runSequence, signal }: CarryOverOptions,
): Promise<void> {
  for await (const page of source.scan({ pipeline, signal })) {
    for (let start = 0; start < page.length; start += COPY_SIZE) {
      const ids = page.slice(start, start + COPY_SIZE).map(({ id }) => id);
      const points = await source.retrieve(ids, { signal });
      await target.points.upsert([...points.values()], { runSequence, signal });
    }
  }
}

async function assertArrived(
  pipeline: string,
  source: GenerationPoints,
  { live, target, signal }: CarryOverOptions,
): Promise<void> {
  const expected = await source.count({ pipeline, signal });
  const found = await target.points.count({ pipeline, signal });
  if (found === expected) return;
  throw new EmbedlineError(
    'STORE_MISMATCH',
    `${target.generation.name} has ${found} points of pipeline ${pipeline} instead of the ${expected} of ${live.name}, so it is ` +
      `not published; readers see what they saw. Ingest again; if it stays, ingest with --rebuild.`,
  );
}

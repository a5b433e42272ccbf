import { messageOf, ok, problem, type Finding, type Generation, type VectorStore } from '@embedline/core';
import type { Check } from './check.ts';

/** The store, and whether its collections are what their metadata says. */
export const vectorStore: Check = {
  name: 'vector store',
  examine: async (surroundings) => {
    const store = await surroundings.store();
    const live = (await store.generations()).filter((generation) => generation.live);
    const found = `${store.kind} ${store.version} at ${store.location}: ${live.length} collections`;
    const broken = await Promise.all(live.map((generation) => examineGeneration(store, generation)));
    return [
      ok('vector store', found),
      ...summarise(
        broken.filter((finding) => finding !== null),
        live.length,
      ),
    ];
  },
};

function summarise(broken: readonly Finding[], count: number): readonly Finding[] {
  if (broken.length > 0 || count === 0) return broken;
  return [ok('collections', 'dimensions and distance as their metadata says')];
}

/** Null when all is well. Opening compares identity, dimensions and distance; one point is read as a sample. */
async function examineGeneration(store: VectorStore, generation: Generation): Promise<Finding | null> {
  const check = `collection ${generation.collection}`;
  const remedy = `Ingest it again with --rebuild, or go back with: embedline collections rollback ${generation.collection}`;
  try {
    const points = await store.open(generation);
    try {
      const { dimensions } = generation.manifest.model;
      const found = await sampleDimensions(points);
      if (found === null || found === dimensions) return null;
      return problem(check, `Its points have ${found} dimensions, not ${dimensions}.`, remedy);
    } finally {
      await points.close();
    }
  } catch (error) {
    return problem(check, messageOf(error), remedy);
  }
}

async function sampleDimensions(points: Awaited<ReturnType<VectorStore['open']>>): Promise<number | null> {
  for await (const [first] of points.scan()) {
    if (first === undefined) continue;
    const point = (await points.retrieve([first.id])).get(first.id);
    return point?.vector.length ?? null;
  }
  return null;
}

import {
  PAYLOAD_SCHEMA_VERSION,
  sameModel,
  type Generation,
  type GenerationPoints,
  type VectorStore,
} from '@embedline/core';
import type { ChosenGeneration, GenerationWanted } from './choose-generation.ts';

/** Where a run writes. */
export interface RunTarget {
  readonly generation: Generation;
  readonly points: GenerationPoints;
  /** Vectors of equal texts are taken from here; null when the live generation has another model, or there is none. */
  readonly reuseFrom: GenerationPoints | null;
  /** The generation that readers see; null before the first publication. */
  readonly live: Generation | null;
  /** True when the target is not the live generation, and has to be published at the end. */
  readonly building: boolean;
  /** True when it was made just now: there is nothing in it that could be replaced. */
  readonly isNew: boolean;
  close(): Promise<void>;
}

export interface TargetWanted extends GenerationWanted {
  readonly store: VectorStore;
  /** A new generation gets its search index when all is loaded. */
  readonly deferIndexing: boolean;
}

/** Makes or opens what {@link chooseGeneration} decided. */
export async function openTarget({ live, plan }: ChosenGeneration, wanted: TargetWanted): Promise<RunTarget> {
  const { store } = wanted;
  const generation = plan.kind === 'build' ? await build(wanted) : plan.target;
  if (generation.manifest.pipelines[wanted.pipeline] === undefined) {
    await store.recordPipeline(generation, wanted.pipeline, wanted.fingerprint);
  }
  const points = await store.open(generation);
  const building = plan.kind !== 'in-place';
  const reusable = live !== null && building && sameModel(live.manifest.model, wanted.model);
  const livePoints = reusable ? await store.open(live) : null;
  return {
    generation,
    points,
    reuseFrom: building ? (livePoints ?? points) : points,
    live,
    building,
    isNew: plan.kind === 'build',
    close: async () => {
      await points.close();
      await livePoints?.close();
    },
  };
}

function build({ store, collection, pipeline, model, fingerprint, deferIndexing }: TargetWanted) {
  const manifest = {
    schemaVersion: PAYLOAD_SCHEMA_VERSION,
    model,
    pipelines: { [pipeline]: fingerprint },
    createdAt: new Date().toISOString(),
  };
  return store.createGeneration(collection, manifest, { deferIndexing });
}

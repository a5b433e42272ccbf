import {
  EmbedlineError,
  PAYLOAD_SCHEMA_VERSION,
  sameModel,
  type Generation,
  type ModelSpec,
  type VectorStore,
} from '@embedline/core';

export interface GenerationWanted {
  readonly collection: string;
  readonly pipeline: string;
  readonly model: ModelSpec;
  /** See pipeline-fingerprint.ts. */
  readonly fingerprint: string;
  /** Build anew even if nothing that decides has changed. */
  readonly rebuild: boolean;
}

export interface ChosenGeneration {
  readonly live: Generation | null;
  /** Write into the live generation, continue an unfinished one, or make one. */
  readonly plan:
    | { readonly kind: 'in-place'; readonly target: Generation }
    | { readonly kind: 'continue'; readonly target: Generation }
    | { readonly kind: 'build' };
  /** Unfinished builds that nobody will continue. */
  readonly abandoned: readonly Generation[];
}

/**
 * Decides where a run writes: in place while model, chunking and schema are those of the live generation; else into a
 * new one beside it, so that readers never see two kinds of vectors mixed.
 * @throws EmbedlineError COLLECTION_INCOMPATIBLE when another pipeline's points would be lost with their model
 */
export async function chooseGeneration(
  store: VectorStore,
  wanted: GenerationWanted,
): Promise<ChosenGeneration> {
  const generations = await store.generations(wanted.collection);
  const live = generations.find((generation) => generation.live) ?? null;
  if (live !== null && !wanted.rebuild && fits(live, wanted)) {
    return { live, plan: { kind: 'in-place', target: live }, abandoned: [] };
  }
  if (live !== null && !sameModel(live.manifest.model, wanted.model)) assertAlone(live, wanted);
  const unfinished = generations.filter(({ number }) => number > (live?.number ?? 0));
  const target = wanted.rebuild ? undefined : unfinished.findLast((generation) => fits(generation, wanted));
  const abandoned = unfinished.filter((generation) => generation !== target);
  return { live, plan: target === undefined ? { kind: 'build' } : { kind: 'continue', target }, abandoned };
}

/** Pipelines besides this one that have points in a generation. */
export function otherPipelines(generation: Generation, pipeline: string): string[] {
  return Object.keys(generation.manifest.pipelines).filter((name) => name !== pipeline);
}

function fits({ manifest }: Generation, wanted: GenerationWanted): boolean {
  const fingerprint = manifest.pipelines[wanted.pipeline];
  return (
    manifest.schemaVersion === PAYLOAD_SCHEMA_VERSION &&
    sameModel(manifest.model, wanted.model) &&
    (fingerprint === undefined || fingerprint === wanted.fingerprint)
  );
}

function assertAlone(live: Generation, { pipeline, model }: GenerationWanted): void {
  const others = otherPipelines(live, pipeline);
  if (others.length === 0) return;
  const has = live.manifest.model;
  throw new EmbedlineError(
    'COLLECTION_INCOMPATIBLE',
    `Collection ${live.collection} also holds the points of ${others.join(', ')}, made with ${has.id} (${has.dimensions} ` +
      `dimensions); this run wants ${model.id} (${model.dimensions}). One collection takes one model: ingest into another ` +
      `collection (--collection), or use the model that is there (--model ${has.id}).`,
  );
}

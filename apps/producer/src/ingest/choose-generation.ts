import { describeModel } from '../terminal/describe-model.ts';
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
  /** The corpus is only a part: a new generation made from it would lack the rest. */
  readonly partial: boolean;
}

export interface ChosenGeneration {
  readonly live: Generation | null;
  /** Write into the live generation, continue an unfinished one, or make one. */
  readonly plan:
    | { readonly kind: 'in-place'; readonly target: Generation }
    | { readonly kind: 'continue'; readonly target: Generation }
    | { readonly kind: 'build' };
  /** Builds that nobody will continue. */
  readonly abandoned: readonly Generation[];
}

/**
 * Decides where a run writes: in place while model, chunking and schema are those of the live generation; else into a
 * new one beside it, so that readers never see two kinds of vectors mixed.
 * @throws EmbedlineError COLLECTION_INCOMPATIBLE when another pipeline's points would be lost with their model, or the
 * rest of the corpus with a part of it
 */
export async function chooseGeneration(
  store: VectorStore,
  wanted: GenerationWanted,
): Promise<ChosenGeneration> {
  return chooseAmong(await store.generations(wanted.collection), wanted);
}

/** @see chooseGeneration */
export function chooseAmong(generations: readonly Generation[], wanted: GenerationWanted): ChosenGeneration {
  generations.forEach(assertKnownSchema);
  const live = generations.find((generation) => generation.live) ?? null;
  if (live !== null && !wanted.rebuild && fits(live, wanted)) {
    const abandoned = generations.filter((generation) => isOwnUnfinished(generation, wanted));
    return { live, plan: { kind: 'in-place', target: live }, abandoned };
  }
  if (live !== null && !sameModel(live.manifest.model, wanted.model)) assertAlone(live, wanted);
  // Also one that readers went back from: whatever is newer than the live one is on its way to being live.
  const newer = generations.filter(({ number }) => number > (live?.number ?? 0));
  const target = wanted.rebuild ? undefined : newer.findLast((generation) => fits(generation, wanted));
  const abandoned = newer.filter((generation) => generation !== target);
  const plan = target === undefined ? ({ kind: 'build' } as const) : ({ kind: 'continue', target } as const);
  if (wanted.partial && (plan.kind === 'continue' || live !== null)) throw notWhole(live, wanted);
  return { live, plan, abandoned };
}

/** A build of another pipeline is that one's to continue. */
function isOwnUnfinished(generation: Generation, { pipeline }: GenerationWanted): boolean {
  const { live, manifest } = generation;
  return (
    !live &&
    manifest.publishedAt === undefined &&
    manifest.pipelines[pipeline] !== undefined &&
    otherPipelines(generation, pipeline).length === 0
  );
}

/** Pipelines besides this one that have points in a generation. */
export function otherPipelines(generation: Generation, pipeline: string): string[] {
  return Object.keys(generation.manifest.pipelines).filter((name) => name !== pipeline);
}

/** A generation of a newer program is neither written to, nor replaced, nor dropped as one that nobody continues. */
function assertKnownSchema({ name, manifest: { schemaVersion } }: Generation): void {
  if (schemaVersion <= PAYLOAD_SCHEMA_VERSION) return;
  throw new EmbedlineError(
    'VERSION_UNSUPPORTED',
    `${name} has points of a newer version of embedline (payload schema ${schemaVersion}; this one knows up to ` +
      `${PAYLOAD_SCHEMA_VERSION}). Nothing was changed. Update embedline on this machine.`,
  );
}

/** Whether the chunks of a pipeline in a generation are cut, and its vectors made, as is wanted. */
export function hasSameChunks(
  { manifest }: Generation,
  { pipeline, model, fingerprint }: Pick<GenerationWanted, 'pipeline' | 'model' | 'fingerprint'>,
): boolean {
  return sameModel(manifest.model, model) && manifest.pipelines[pipeline] === fingerprint;
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
    `Collection ${live.collection} also holds the points of ${others.join(', ')}, made with ${describeModel(has)} ` +
      `(${has.dimensions} dimensions); this run wants ${describeModel(model)} (${model.dimensions}). One collection takes one model: ` +
      `ingest into another collection (--collection), or use the model that is there (--model ${has.id}${engineFlag(has)}).`,
  );
}

function engineFlag({ engine }: ModelSpec): string {
  return engine === undefined ? '' : ` --engine ${engine}`;
}

function notWhole(live: Generation | null, { collection }: GenerationWanted): EmbedlineError {
  return new EmbedlineError(
    'COLLECTION_INCOMPATIBLE',
    live === null
      ? `The first ingest of collection ${collection} has not finished, and a partial one must not publish it. Ingest the whole corpus first, without --partial.`
      : `Collection ${collection} has to be built anew (another model, chunking or schema, or --rebuild), and a part of the corpus ` +
          `is not enough for that. Ingest the whole corpus, without --partial.`,
  );
}

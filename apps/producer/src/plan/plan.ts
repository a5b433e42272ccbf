import {
  Releasers,
  sameModel,
  type Generation,
  type GenerationPoints,
  type VectorStore,
} from '@embedline/core';
import { chooseGeneration, type ChosenGeneration } from '../ingest/choose-generation.ts';
import { compareCorpus, type ComparedWindow } from '../ingest/compare-corpus.ts';
import { approvingPercent, exceedsShare } from '../ingest/delete-guard.ts';
import { findSwept, surplusOfRead, type Swept } from '../ingest/find-swept.ts';
import { createDistinctIds, createSeenDocuments, type SeenDocuments } from '../ingest/seen-documents.ts';
import type { OpenPipeline } from '../pipeline/open-pipeline.ts';
import { newTally, type Tally } from './tally.ts';

/** What an ingest would do, found without writing anything. */
export interface Plan extends Tally {
  readonly collection: string;
  readonly pipeline: string;
  /** How it would write, and into what; the name is null for a generation that has yet to be made. */
  readonly writes: { readonly how: ChosenGeneration['plan']['kind']; readonly generation: string | null };
  /** Points that readers see of this pipeline now. */
  readonly livePoints: number;
  /** What would not be done, and why; null when all would be. */
  readonly withheld: Withheld | null;
}

export interface Withheld {
  /** `deletion`: everything else is done; `publication`: readers go on seeing what they see. */
  readonly what: 'deletion' | 'publication';
  readonly why: string;
}

export interface PlanOptions {
  readonly pipeline: OpenPipeline;
  /** May be read-only. */
  readonly store: VectorStore;
  readonly signal: AbortSignal;
  /** Told after each part of the corpus. */
  readonly onProgress: (read: { readonly bytes: number; readonly documents: number }) => void;
}

/**
 * Reads the corpus and compares it as an ingest would. Memory is bounded as that of an ingest.
 * @throws EmbedlineError COLLECTION_INCOMPATIBLE, STORE_UNREACHABLE, ...
 */
export async function makePlan(options: PlanOptions): Promise<Plan> {
  await using releasers = new Releasers();
  const { pipeline, store, signal } = options;
  const { definition, model, corpus, chunk, fingerprint } = pipeline;
  const { name, collection, rebuild, partial } = definition;
  const wanted = { collection, pipeline: name, model: model.spec, fingerprint, rebuild, partial };
  const chosen = await chooseGeneration(store, wanted);
  const open = await openForReading(chosen, options, releasers);
  const seen = releasers.own(createSeenDocuments({ keepIds: partial }));
  const windows = compareCorpus({
    corpus,
    chunk,
    seen,
    signal,
    pipeline: name,
    passagePrefix: model.spec.passagePrefix,
    target: open.target,
    reuseFrom: definition.reuse ? open.reuseFrom : null,
  });
  const tally = await tallyUp(windows, options);
  const removal = await planRemoval(open.live, seen, {
    ...options,
    building: chosen.plan.kind !== 'in-place',
    missing: tally.missing,
  });
  tally.documents.removed = removal.documents;
  tally.chunks.removed = removal.chunks;
  tally.samples.removed.push(...removal.sample);
  return {
    ...tally,
    collection,
    pipeline: name,
    writes: {
      how: chosen.plan.kind,
      generation: chosen.plan.kind === 'build' ? null : chosen.plan.target.name,
    },
    livePoints: removal.livePoints,
    withheld: removal.withheld,
  };
}

async function tallyUp(windows: AsyncIterable<ComparedWindow>, { onProgress }: PlanOptions): Promise<Tally> {
  const tally = newTally();
  // A text that occurs again in this run takes the vector of its first occurrence.
  const texts = createDistinctIds();
  let bytes = 0;
  try {
    for await (const window of windows) {
      tally.add(window, texts);
      bytes += window.bytes;
      onProgress({ bytes, documents: tally.documents.read });
    }
  } finally {
    texts.close();
  }
  return tally;
}

interface OpenForReading {
  readonly target: GenerationPoints | null;
  readonly reuseFrom: GenerationPoints | null;
  readonly live: GenerationPoints | null;
}

/** @see openTarget, which makes what is missing; this opens what is there */
async function openForReading(
  { live, plan }: ChosenGeneration,
  { store, pipeline, signal }: PlanOptions,
  releasers: Releasers,
): Promise<OpenForReading> {
  const open = async (generation: Generation) => releasers.own(await store.open(generation, { signal }));
  const livePoints = live === null ? null : await open(live);
  if (plan.kind === 'in-place') return { target: livePoints, reuseFrom: livePoints, live: livePoints };
  const target = plan.kind === 'continue' ? await open(plan.target) : null;
  const isSame = live !== null && sameModel(live.manifest.model, pipeline.model.spec);
  return { target, reuseFrom: isSame ? livePoints : target, live: livePoints };
}

interface PlannedRemoval {
  readonly documents: number;
  readonly chunks: number;
  readonly sample: readonly string[];
  readonly livePoints: number;
  readonly withheld: Withheld | null;
}

interface RemovalOptions extends PlanOptions {
  readonly building: boolean;
  readonly missing: number;
}

const NOTHING = { documents: 0, chunks: 0, sample: [], withheld: null };

/** What readers would lose. @see finish, which holds it to the same conditions */
async function planRemoval(
  points: GenerationPoints | null,
  seen: SeenDocuments,
  options: RemovalOptions,
): Promise<PlannedRemoval> {
  if (points === null) return { ...NOTHING, livePoints: 0 };
  const { pipeline, signal, building } = options;
  const { name, partial } = pipeline.definition;
  const livePoints = await points.count({ pipeline: name, signal });
  const found = { points, pipeline: name, seen, signal };
  if (partial) {
    let chunks = 0;
    for await (const ids of surplusOfRead(found)) chunks += ids.length;
    return { ...NOTHING, chunks, livePoints };
  }
  const swept = await findSwept(found);
  const { documents, sample } = swept;
  const chunks = building ? swept.vanishedPoints : swept.points;
  const why = whyWithheld(swept, { chunks, livePoints }, options);
  const withheld =
    why === null ? null : { what: building ? ('publication' as const) : ('deletion' as const), why };
  return { documents, chunks, sample, livePoints, withheld };
}

function whyWithheld(
  swept: Swept,
  { chunks, livePoints }: { readonly chunks: number; readonly livePoints: number },
  { pipeline: { definition, corpus }, building, missing }: RemovalOptions,
): string | null {
  const { maxDelete, sweepIncomplete } = definition;
  if (corpus.problemCount > 0 && !sweepIncomplete)
    return `the corpus could not be read completely: ${corpus.problems.join('; ')}`;
  if (building && swept.unread.documents > 0 && !sweepIncomplete)
    return `${swept.unread.documents} documents that readers see now could not be read: ${swept.unread.sample.join(', ')}`;
  // A sweep in place comes after the writes.
  const total = building ? livePoints : livePoints + missing;
  if (!exceedsShare(chunks, total, maxDelete)) return null;
  const percent = approvingPercent(chunks, total);
  return `it is ${percent} % of the points (approve it with --max-delete ${percent}%)`;
}

import {
  Releasers,
  sameModel,
  type Generation,
  type GenerationPoints,
  type ModelSpec,
  type VectorStore,
} from '@embedline/core';
import { chooseGeneration, type ChosenGeneration } from '../ingest/choose-generation.ts';
import { compareCorpus, type ComparedWindow } from '../ingest/compare-corpus.ts';
import { createDistinctIds, createSeenDocuments } from '../ingest/seen-documents.ts';
import type { OpenPipeline } from '../pipeline/open-pipeline.ts';
import type { ReadingReport } from '../readers/reading-notes.ts';
import { planRemoval, type Withheld } from './plan-removal.ts';
import { newTally, type Tally } from './tally.ts';

/** What an ingest would do, found without writing anything. */
export interface Plan extends Tally {
  readonly collection: string;
  readonly pipeline: string;
  readonly model: ModelSpec;
  /** Why the kernel would not compute the vectors; null when it would, or for a static model. */
  readonly whyNotKernel: string | null;
  /** How it would write, and into what; the name is null for a generation that has yet to be made. */
  readonly writes: { readonly how: ChosenGeneration['plan']['kind']; readonly generation: string | null };
  /** Points that readers see of this pipeline now. */
  readonly livePoints: number;
  /** What would not be done, and why; null when all would be. */
  readonly withheld: Withheld | null;
  /** What is to be told of the files and records themselves. */
  readonly reading: ReadingReport;
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
    onDuplicate: definition.onDuplicate,
    chunk,
    seen,
    signal,
    pipeline: name,
    passagePrefix: model.spec.passagePrefix,
    embedTitle: definition.embedTitle,
    target: open.target,
    reuseFrom: definition.reuse ? open.reuseFrom : null,
  });
  const tally = await tallyUp(windows, options);
  const removal = await planRemoval(open.live, seen, { pipeline, chosen, tally, signal });
  tally.documents.removed = removal.documents;
  tally.chunks.removed = removal.chunks;
  for (const id of removal.sample) tally.samples.removed.push(id);
  return {
    ...tally,
    collection,
    pipeline: name,
    model: model.spec,
    whyNotKernel: pipeline.whyNotKernel,
    writes: {
      how: chosen.plan.kind,
      generation: chosen.plan.kind === 'build' ? null : chosen.plan.target.name,
    },
    livePoints: removal.livePoints,
    withheld: removal.withheld,
    reading: corpus.report,
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

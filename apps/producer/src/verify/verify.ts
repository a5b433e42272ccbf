import {
  createEmbedder,
  Releasers,
  type Embedder,
  type EmbedderOptions,
  type Generation,
  type GenerationPoints,
  type VectorStore,
} from '@embedline/core';
import { compareCorpus } from '../ingest/compare-corpus.ts';
import { findSwept } from '../ingest/find-swept.ts';
import { createSeenDocuments } from '../ingest/seen-documents.ts';
import type { OpenPipeline } from '../pipeline/open-pipeline.ts';
import type { ReadingReport } from '../readers/reading-notes.ts';
import { checkPoints, type CheckedPoints } from './check-points.ts';
import { checkVectors, type CheckedVectors } from './check-vectors.ts';
import { ChunkSample } from './sample.ts';

export interface VerifyOptions {
  readonly pipeline: OpenPipeline;
  /** The live generation, made as the pipeline makes its points. */
  readonly generation: Generation;
  /** May be read-only. */
  readonly store: VectorStore;
  /** Points whose vectors are made again. */
  readonly sampleSize: number;
  readonly minCosine: number;
  /** That the kernel is to use. Defaults to the fastest. */
  readonly instructionSet?: EmbedderOptions['instructionSet'];
  readonly signal: AbortSignal;
  readonly onProgress: (read: { readonly bytes: number; readonly documents: number }) => void;
  /** Opens what makes the vectors of the sample again. Defaults to the pipeline's model, in one process. */
  readonly openEmbedder?: () => Promise<Embedder>;
}

/** What a collection was found to be, compared with its corpus. Counts are of points unless they say otherwise. */
export interface Verification {
  readonly generation: string;
  readonly documents: number;
  /** Chunks of the corpus. */
  readonly chunks: number;
  /** Chunks without a point. */
  readonly missing: number;
  /** Points with another text, metadata or offsets than the corpus. */
  readonly stale: number;
  /** Points of documents, or beyond the end of documents, that are gone; null when the corpus was not read completely. */
  readonly orphaned: number | null;
  /** Points that stand for a chunk which has one already. */
  readonly duplicate: number | null;
  /** Points of the pipeline, whatever they stand for. */
  readonly points: number;
  /** Points whose id, text, payload or vector contradict each other: something else has changed them. */
  readonly altered: CheckedPoints;
  /** Points of pipelines that the collection does not name. */
  readonly unnamed: number;
  /** Points that could not be judged: of documents that cannot be read, or that may be gone. */
  readonly unjudged: number;
  /** A few documents with missing or stale points, or that are gone. */
  readonly sample: readonly string[];
  readonly vectors: CheckedVectors;
  readonly health: { readonly healthy: boolean; readonly detail: string };
  /** Records that cannot be read. */
  readonly deadLetters: number;
  /** Why the corpus was not read completely. */
  readonly problems: readonly string[];
  /** What is to be told of the files and records themselves. */
  readonly reading: ReadingReport;
}

const SAMPLE_SIZE = 5;

/** Compares a collection with its corpus, and a sample of its vectors with fresh ones. Writes nothing. */
export async function verify(options: VerifyOptions): Promise<Verification> {
  await using releasers = new Releasers();
  const { pipeline, generation, store, signal } = options;
  const { corpus, definition } = pipeline;
  const points = releasers.own(await store.open(generation, { signal }));
  const seen = releasers.own(createSeenDocuments());
  const compared = await compare(points, seen, options);
  const complete = corpus.problemCount === 0;
  const swept = await findSwept({ points, pipeline: definition.name, seen, signal });
  const { instructionSet } = options;
  const openEmbedder =
    options.openEmbedder ?? (() => createEmbedder(pipeline.model, { processes: 1, instructionSet }));
  const embedder = releasers.own(await openEmbedder());
  const { ids } = compared.chunkSample;
  return {
    generation: generation.name,
    documents: compared.documents,
    chunks: compared.chunks,
    missing: compared.missing,
    stale: compared.stale,
    orphaned: complete ? swept.vanishedPoints + swept.surplusPoints : null,
    duplicate: complete ? swept.duplicatePoints : null,
    points: await points.count({ pipeline: definition.name, signal }),
    altered: await checkPoints({
      points,
      pipeline: definition.name,
      ...pipeline.model.spec,
      embedTitle: definition.embedTitle,
      signal,
    }),
    unnamed: await countUnnamed(points, generation, signal),
    unjudged: swept.unread.points + (complete ? 0 : swept.vanishedPoints),
    sample: [...compared.sample, ...(complete ? swept.sample : [])].slice(0, SAMPLE_SIZE),
    vectors: await checkVectors({
      ids,
      points,
      embedder,
      embedTitle: definition.embedTitle,
      minCosine: options.minCosine,
      signal,
    }),
    health: await points.health({ signal }),
    deadLetters: compared.deadLetters,
    problems: corpus.problems,
    reading: corpus.report,
  };
}

/** A point that something else has added, under a pipeline of its own. */
async function countUnnamed(
  points: GenerationPoints,
  { manifest }: Generation,
  signal: AbortSignal,
): Promise<number> {
  let unnamed = await points.count({ signal });
  for (const pipeline of Object.keys(manifest.pipelines)) unnamed -= await points.count({ pipeline, signal });
  return Math.max(0, unnamed);
}

/** `unknown` when nothing wrong was found, but not all could be judged: some of the corpus cannot be read. */
export type Verdict = 'sound' | 'unsound' | 'unknown';

export function verdictOf(found: Verification): Verdict {
  const { missing, stale, orphaned, duplicate, altered, unnamed, vectors, health } = found;
  const wrong = missing + stale + (orphaned ?? 0) + (duplicate ?? 0) + altered.altered + unnamed;
  if (wrong + vectors.wrong.length > 0 || !health.healthy) return 'unsound';
  const unread = found.unjudged + found.problems.length + found.deadLetters;
  return unread > 0 ? 'unknown' : 'sound';
}

/** True when the collection is what the corpus says, all of which could be read. */
export function isSound(found: Verification): boolean {
  return verdictOf(found) === 'sound';
}

async function compare(
  points: GenerationPoints,
  seen: ReturnType<typeof createSeenDocuments>,
  { pipeline, sampleSize, signal, onProgress }: VerifyOptions,
) {
  const { definition, model, corpus, chunk } = pipeline;
  const chunkSample = new ChunkSample(sampleSize);
  const counts = { documents: 0, chunks: 0, missing: 0, stale: 0, deadLetters: 0, bytes: 0 };
  const sample: string[] = [];
  const windows = compareCorpus({
    corpus,
    onDuplicate: definition.onDuplicate,
    chunk,
    seen,
    signal,
    pipeline: definition.name,
    passagePrefix: model.spec.passagePrefix,
    embedTitle: definition.embedTitle,
    target: points,
    reuseFrom: null,
  });
  for await (const { decisions, deadLetters, bytes } of windows) {
    for (const decision of decisions) {
      chunkSample.offer(definition.name, decision);
      counts.documents += 1;
      counts.chunks += decision.chunkCount;
      counts.missing += decision.missing;
      counts.stale += decision.chunkCount - decision.skipped - decision.missing;
      if (decision.change !== 'unchanged' && sample.length < SAMPLE_SIZE) sample.push(decision.document.id);
    }
    counts.deadLetters += deadLetters.length;
    counts.bytes += bytes;
    onProgress(counts);
  }
  return { ...counts, sample, chunkSample };
}

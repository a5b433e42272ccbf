import { EmbedlineError, type RunSpec } from '@embedline/core';
import { otherPipelines } from './choose-generation.ts';
import { findSwept } from './find-swept.ts';
import type { IngestOptions } from './ingest.ts';
import type { RunTarget } from './open-target.ts';
import type { RunCounts } from './run-counts.ts';
import type { SeenDocuments } from './seen-documents.ts';
import { sweep, sweepChanged } from './sweep.ts';

export interface FinishContext {
  readonly spec: RunSpec;
  readonly target: RunTarget;
  readonly counts: RunCounts;
  readonly signal: AbortSignal;
  readonly options: IngestOptions;
  readonly seen: SeenDocuments;
  /** Chunks of this run that have no new point because they were given up on. */
  readonly givenUp: number;
}

const COPY_SIZE = 500;

/**
 * SWEEP -> PUBLISH, after every batch is done.
 * @returns notices for people
 * @throws EmbedlineError DELETE_GUARD, STORE_MISMATCH
 */
export async function finish(context: FinishContext): Promise<string[]> {
  const { target, counts, options } = context;
  const { corpus, ledger } = options;
  await ledger.recordProducer(context.spec.runId, counts);
  await ledger.setStage(context.spec.runId, 'sweeping');
  const complete = corpus.problemCount === 0 || options.sweepIncomplete;
  if (!complete && target.building && target.live !== null) throw incompleteBuild(context);
  const notices: string[] = [];
  if (options.partial) await sweepPart(context);
  else if (complete) await sweepTarget(context);
  else notices.push(incompleteNotice(context));
  if (target.building) {
    await ledger.setStage(context.spec.runId, 'publishing');
    await publish(context);
  }
  return notices;
}

async function sweepTarget(context: FinishContext): Promise<void> {
  const { target, counts, options, givenUp } = context;
  const swept = await sweep({
    ...sweepOptions(context),
    expectedPoints: givenUp === 0 ? counts.chunksTotal : null,
    // Nobody reads a generation that is being built: the guard looks at what readers would lose, in publish().
    maxDeleteShare: target.building ? 1 : options.maxDeleteShare,
  });
  if (target.building) return;
  counts.chunksRemoved = swept.chunksRemoved;
  counts.documentsRemoved = swept.documentsRemoved;
}

async function sweepPart(context: FinishContext): Promise<void> {
  const swept = await sweepChanged(sweepOptions(context));
  context.counts.chunksRemoved = swept.chunksRemoved;
}

function sweepOptions({ spec: { pipeline, runSequence }, target: { points }, seen, signal }: FinishContext) {
  return { pipeline, points, seen, runSequence, signal };
}

/** Exact count check, then one step that readers see. */
async function publish(context: FinishContext): Promise<void> {
  const { target, options, spec, signal } = context;
  const { store } = options;
  await assertCount(context);
  if (target.live !== null) await countRemoved(context, target.live);
  if (target.live !== null) await carryOver(context, target.live);
  await store.publish(target.generation, { signal });
  const generations = await store.generations(spec.collection, { signal });
  const older = generations.filter(({ live, number }) => !live && number < target.generation.number);
  const surplus = older.slice(0, Math.max(0, older.length - options.keepGenerations));
  for (const generation of surplus) await store.dropGeneration(generation, { signal });
}

async function assertCount({ target, counts, spec, signal, givenUp }: FinishContext): Promise<void> {
  const expected = counts.chunksTotal - givenUp;
  const found = await target.points.count({ pipeline: spec.pipeline, signal });
  // A chunk that failed now may be there from an earlier attempt at this generation.
  if (found >= expected && found <= counts.chunksTotal) return;
  throw new EmbedlineError(
    'STORE_MISMATCH',
    `${target.generation.name} holds ${found} points instead of ${expected}, so it is not published; readers see what they saw. ` +
      `Ingest again; if it stays, ingest with --rebuild.`,
  );
}

/** What readers lose with the new generation, held to the same guard as a sweep. */
async function countRemoved(
  { counts, seen, spec, signal, options }: FinishContext,
  live: RunTarget['generation'],
): Promise<void> {
  const points = await options.store.open(live, { signal });
  try {
    const { pipeline } = spec;
    const total = await points.count({ pipeline, signal });
    const gone = await findSwept({ points, pipeline, seen, signal });
    if (gone.vanishedPoints > total * options.maxDeleteShare) {
      const share = Math.ceil((100 * gone.vanishedPoints) / Math.max(total, 1));
      throw new EmbedlineError(
        'DELETE_GUARD',
        `The new generation is not published: ${gone.documents} documents with ${share} % of the points that readers see now are ` +
          `gone from the corpus. If it has really shrunk, run again with --max-delete ${share}%.`,
      );
    }
    counts.documentsRemoved = gone.documents;
    counts.chunksRemoved = gone.vanishedPoints;
  } finally {
    await points.close();
  }
}

/** Other pipelines of the collection move along: their points are copied, vectors and all. */
async function carryOver(
  { target, spec, signal, options }: FinishContext,
  live: RunTarget['generation'],
): Promise<void> {
  const others = otherPipelines(live, spec.pipeline);
  if (others.length === 0) return;
  const source = await options.store.open(live, { signal });
  try {
    for (const pipeline of others) {
      for await (const page of source.scan({ pipeline, signal })) {
        for (let start = 0; start < page.length; start += COPY_SIZE) {
          const ids = page.slice(start, start + COPY_SIZE).map(({ id }) => id);
          const points = await source.retrieve(ids, { signal });
          await target.points.upsert([...points.values()], { runSequence: spec.runSequence, signal });
        }
      }
      await options.store.recordPipeline(
        target.generation,
        pipeline,
        live.manifest.pipelines[pipeline] ?? '',
      );
    }
  } finally {
    await source.close();
  }
}

function incompleteNotice({ options: { corpus } }: FinishContext): string {
  return (
    `Nothing was deleted, because the corpus could not be read completely: ${corpus.problems.join('; ')}` +
    `${corpus.problemCount > corpus.problems.length ? ` and ${corpus.problemCount - corpus.problems.length} more` : ''}. ` +
    `Mend that and run again, or delete all the same with --sweep-incomplete.`
  );
}

function incompleteBuild({ options: { corpus }, target }: FinishContext): EmbedlineError {
  return new EmbedlineError(
    'SOURCE_UNREADABLE',
    `${target.generation.name} is not published, because the corpus could not be read completely (${corpus.problems.join('; ')}): ` +
      `documents that readers see now might be missing. Mend that and ingest again, which continues the build, or publish it ` +
      `all the same with --sweep-incomplete.`,
  );
}

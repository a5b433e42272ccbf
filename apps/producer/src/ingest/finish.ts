import { EmbedlineError, type Generation, type RunSpec } from '@embedline/core';
import { otherPipelines } from './choose-generation.ts';
import { carryOver } from './carry-over.ts';
import { approvingPercent, exceedsShare } from './delete-guard.ts';
import { countCurrent, findSwept, type Swept } from './find-swept.ts';
import type { IngestOptions } from './ingest-options.ts';
import type { RunTarget } from './open-target.ts';
import type { RunCounts } from './run-counts.ts';
import type { SeenDocuments } from './seen-documents.ts';
import { sweep, sweepRead } from './sweep.ts';

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

/**
 * SWEEP -> PUBLISH, after every batch is done.
 * @returns notices for people
 * @throws EmbedlineError DELETE_GUARD, SOURCE_UNREADABLE, STORE_MISMATCH
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
  const swept = await sweepRead(sweepOptions(context));
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
  if (target.live !== null) await replace(context, target.live);
  await store.publish(target.generation, { signal, onWaiting: options.onNotice });
  const generations = await store.generations(spec.collection, { signal });
  const older = generations.filter(({ live, number }) => !live && number < target.generation.number);
  const surplus = older.slice(0, Math.max(0, older.length - options.keepGenerations));
  for (const generation of surplus) await store.dropGeneration(generation, { signal });
}

/** Of the documents that were read: of others an earlier attempt at this generation may have left points. */
async function assertCount(context: FinishContext): Promise<void> {
  const { target, counts, spec, signal, seen, givenUp } = context;
  const { points } = target;
  const { pipeline } = spec;
  const expected = counts.chunksTotal - givenUp;
  const total = await points.count({ pipeline, signal });
  if (total === counts.chunksTotal) return;
  const found = await countCurrent({ points, pipeline, seen, signal });
  // A chunk that failed now may be there from an earlier attempt.
  if (found >= expected && found <= counts.chunksTotal) return;
  throw new EmbedlineError(
    'STORE_MISMATCH',
    `${target.generation.name} holds ${found} points instead of ${expected}, so it is not published; readers see what they saw. ` +
      `Ingest again; if it stays, ingest with --rebuild.`,
  );
}

/** What readers see now makes way: what they lose is held to the same guard as a sweep, other pipelines move along. */
async function replace(context: FinishContext, live: Generation): Promise<void> {
  const { target, spec, signal, options } = context;
  const { pipeline, runSequence } = spec;
  const { store } = options;
  await countRemoved(context, live);
  const pipelines = otherPipelines(live, pipeline);
  if (pipelines.length > 0) await carryOver({ store, live, target, pipelines, runSequence, signal });
}

async function countRemoved(context: FinishContext, live: Generation): Promise<void> {
  const { counts, seen, spec, signal, options } = context;
  const points = await options.store.open(live, { signal });
  try {
    const { pipeline } = spec;
    const total = await points.count({ pipeline, signal });
    const lost = await findSwept({ points, pipeline, seen, signal });
    if (lost.unread.documents > 0 && !options.sweepIncomplete) throw unreadLost(lost, context);
    if (exceedsShare(lost.vanishedPoints, total, options.maxDeleteShare)) {
      const percent = approvingPercent(lost.vanishedPoints, total);
      throw new EmbedlineError(
        'DELETE_GUARD',
        `The new generation is not published: ${lost.documents} documents with ${percent} % of the points that readers see now are ` +
          `gone from the corpus. If it has really shrunk, run again with --max-delete ${percent}%.`,
      );
    }
    counts.documentsRemoved = lost.documents;
    counts.chunksRemoved = lost.vanishedPoints;
  } finally {
    await points.close();
  }
}

function unreadLost({ unread }: Swept, { target, spec }: FinishContext): EmbedlineError {
  const { documents, sample } = unread;
  const names = sample.map((id) => JSON.stringify(id)).join(', ');
  return new EmbedlineError(
    'SOURCE_UNREADABLE',
    `${target.generation.name} is not published, because ${documents} documents that readers see now could not be read ` +
      `(${names}${documents > sample.length ? ', ...' : ''}; embedline failed list --run ${spec.runId}) and would be missing. Mend them ` +
      `and ingest again, which continues the build, or publish it all the same with --sweep-incomplete.`,
  );
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

import { EmbedlineError } from '@embedline/core';
import type { AwaitedChunks } from './awaited-chunks.ts';
import { chunksMissing } from './chunks-missing.ts';
import { keepStale } from './keep-stale.ts';
import { assertAllowed, changeOf, type LastSteps } from './last-steps.ts';
import { publish } from './publish.ts';
import { NOTHING_LOST } from './publishing-policy.ts';
import { sweep, sweepRead, type SweepResult } from './sweep.ts';

export interface FinishContext extends Omit<LastSteps, 'missing'> {
  /** Null where there was nothing that a chunk which is given up on could replace. */
  readonly awaited: AwaitedChunks | null;
}

/**
 * KEEP -> SWEEP -> PUBLISH, after every batch is done.
 * @returns notices for people
 * @throws EmbedlineError DELETE_GUARD, GIVEN_UP_GUARD, NOTHING_TO_PUBLISH, SOURCE_UNREADABLE, STORE_MISMATCH
 */
export async function finish(context: FinishContext): Promise<string[]> {
  const { target, counts, options } = context;
  const { corpus, ledger } = options;
  await ledger.recordProducer(context.spec.runId, counts);
  await ledger.setStage(context.spec.runId, 'sweeping');
  const steps = { ...context, missing: await keepWhatFailed(context) };
  if (steps.missing > context.givenUp)
    throw chunksMissing(steps.target.generation.name, steps.missing - context.givenUp);
  const complete = corpus.problemCount === 0 || options.sweepIncomplete;
  if (!complete && target.building && target.live !== null) throw incompleteBuild(context);
  const notices = staleNotices(context);
  if (options.partial) await sweepPart(steps);
  else if (complete) await sweepTarget(steps);
  else notices.push(incompleteNotice(context));
  if (!target.building) {
    await assertSomethingLeft(steps);
    return notices;
  }
  await ledger.setStage(context.spec.runId, 'publishing');
  await publish(steps);
  if (counts.chunksTotal === 0) notices.push(emptyNotice(context));
  return notices;
}

/** @returns how many chunks have no point of their text, by the store and not by the counters in Redis */
async function keepWhatFailed(context: FinishContext): Promise<number> {
  const { spec, target, counts, seen, signal, awaited, givenUp } = context;
  // Where the target is new, every point of it is counted before it is published.
  if (awaited === null || (givenUp === 0 && target.isNew)) return givenUp;
  const { pipeline, runSequence } = spec;
  const found = await keepStale({ pipeline, points: target.points, awaited, seen, runSequence, signal });
  counts.chunksKeptStale = found.kept;
  return found.givenUp;
}

async function sweepTarget(steps: LastSteps): Promise<void> {
  const { target, counts, givenUp } = steps;
  const swept = await sweep({
    ...sweepOptions(steps),
    expectedPoints: givenUp === 0 ? counts.chunksTotal : null,
    // Nobody reads a generation that is being built: what readers would lose is looked at in publish().
    approve: async (found, pointsNow) => {
      if (target.building) return;
      await assertAllowed(steps, {
        ...changeOf(steps),
        how: 'in-place',
        pointsNow,
        pointsAfter: pointsNow - found.points,
        documentsGone: found.documents,
        lost: {
          ...NOTHING_LOST,
          vanished: found.vanishedPoints,
          shortened: found.surplusPoints + found.duplicatePoints,
        },
      });
      await steps.options.ledger.assertRunning(steps.spec.runId);
    },
  });
  if (target.building) return;
  noteDeleted(steps, swept);
  counts.chunksRemoved = swept.chunksRemoved;
  counts.documentsRemoved = swept.documentsRemoved;
}

async function sweepPart(steps: LastSteps): Promise<void> {
  const swept = await sweepRead(sweepOptions(steps));
  noteDeleted(steps, swept);
  steps.counts.chunksRemoved = swept.chunksRemoved;
}

/** Of what readers saw. */
function noteDeleted({ spec, target, options }: LastSteps, swept: SweepResult): void {
  if (swept.chunksRemoved === 0) return;
  options.onAudit({
    action: 'points-deleted',
    command: 'ingest',
    collection: spec.collection,
    pipeline: spec.pipeline,
    run: spec.runId,
    generations: [target.generation.name],
    counts: { points: swept.chunksRemoved, documents: swept.documentsRemoved },
  });
}

function sweepOptions({ spec: { pipeline, runSequence }, target: { points }, seen, signal }: LastSteps) {
  return { pipeline, points, seen, runSequence, signal };
}

/** The first load of a pipeline in a collection that others fill already is no success when all of it failed. */
async function assertSomethingLeft(steps: LastSteps): Promise<void> {
  const { target, spec, counts, signal, missing } = steps;
  if (missing + counts.recordsRejected === 0) return;
  const points = await target.points.count({ pipeline: spec.pipeline, signal });
  if (points === 0)
    await assertAllowed(steps, { ...changeOf(steps), how: 'in-place', pointsNow: 0, pointsAfter: 0 });
}

function staleNotices({ counts: { chunksKeptStale: kept }, spec }: FinishContext): string[] {
  if (kept === 0) return [];
  return [
    `${kept} points keep what their documents said before, marked as stale, because their new text could not be embedded or ` +
      `stored (embedline failed list --run ${spec.runId}). Fix the cause and ingest again, which replaces them.`,
  ];
}

function emptyNotice({ spec }: FinishContext): string {
  return `Collection ${spec.collection} is published without a point of ${spec.pipeline}: no document of the corpus has a text.`;
}

function incompleteNotice({ options: { corpus } }: FinishContext): string {
  return (
    `Nothing was deleted, because the corpus could not be read completely: ${corpus.problems.join('; ')}` +
    `${corpus.problemCount > corpus.problems.length ? ` and ${corpus.problemCount - corpus.problems.length} more` : ''}. ` +
    `Fix that and run again, or delete all the same with --sweep-incomplete.`
  );
}

function incompleteBuild({ options: { corpus }, target }: FinishContext): EmbedlineError {
  return new EmbedlineError(
    'SOURCE_UNREADABLE',
    `${target.generation.name} is not published, because the corpus could not be read completely (${corpus.problems.join('; ')}): ` +
      `documents that readers see now might be missing. Fix that and ingest again, which continues the build, or publish it ` +
      `all the same with --sweep-incomplete.`,
  );
}

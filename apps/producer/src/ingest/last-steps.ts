import { cutText, EmbedlineError, type RunSpec } from '@embedline/core';
import type { IngestOptions } from './ingest-options.ts';
import type { RunTarget } from './open-target.ts';
import { NOTHING_LOST, refusalOf, USUAL_LIMITS, type Change, type Refusal } from './publishing-policy.ts';
import type { RunCounts } from './run-counts.ts';
import type { SeenDocuments } from './seen-documents.ts';

/** What the last steps of a run, after every batch is done, work with. */
export interface LastSteps {
  readonly spec: RunSpec;
  readonly target: RunTarget;
  readonly counts: RunCounts;
  readonly signal: AbortSignal;
  readonly options: IngestOptions;
  readonly seen: SeenDocuments;
  /** Chunks of this run that were given up on, each with a dead letter, by its counters. */
  readonly givenUp: number;
  /** Those of them without a point of their text; a late worker may have written the others. */
  readonly missing: number;
}

/** What each of the steps says of its run. */
export function changeOf({
  spec,
  counts,
  missing,
}: LastSteps): Omit<Change, 'how' | 'pointsNow' | 'pointsAfter'> {
  return {
    pipeline: spec.pipeline,
    documentsGone: 0,
    lost: NOTHING_LOST,
    chunksTotal: counts.chunksTotal,
    chunksGivenUp: missing,
    recordsRejected: counts.recordsRejected,
  };
}

/** @throws EmbedlineError DELETE_GUARD, GIVEN_UP_GUARD, NOTHING_TO_PUBLISH with numbers, causes and what approves it */
export async function assertAllowed(steps: LastSteps, change: Change): Promise<void> {
  const refusal = refusalOf(change, steps.options);
  if (refusal === null) {
    noteApproval(steps, change);
    return;
  }
  throw new EmbedlineError(refusal.code, await describe(refusal, change, steps));
}

/** What the usual limits would have refused was approved by an option. */
function noteApproval({ spec, target, options }: LastSteps, change: Change): void {
  const usual = refusalOf(change, USUAL_LIMITS);
  if (usual === null) return;
  options.onAudit({
    action: 'approved-above-guard',
    command: 'ingest',
    collection: spec.collection,
    pipeline: spec.pipeline,
    run: spec.runId,
    generations: [target.generation.name],
    counts: {
      pointsBefore: change.pointsNow,
      pointsAfter: change.pointsAfter,
      chunksGivenUp: change.chunksGivenUp,
      percent: usual.percent ?? 0,
    },
  });
}

async function describe(refusal: Refusal, { how }: Change, steps: LastSteps): Promise<string> {
  const { code, why } = refusal;
  const causes = await causesOf(steps);
  const kept =
    how === 'in-place'
      ? 'Nothing was deleted'
      : `${steps.target.generation.name} is not published, and readers see what they saw`;
  return `${kept}: ${why}${code === 'DELETE_GUARD' ? '' : causes}. ${remedy(refusal, how, steps)}`;
}

function remedy({ code, approval }: Refusal, how: Change['how'], { spec, options }: LastSteps): string {
  const again = how === 'in-place' ? 'ingest again' : buildAgain(options);
  const letters = `See embedline failed list --run ${spec.runId}`;
  if (code === 'NOTHING_TO_PUBLISH') return `${letters}, fix the cause and ${again}.`;
  if (code === 'GIVEN_UP_GUARD')
    return `${letters}, fix the cause and ${again}; or publish it without them with ${approval ?? ''}.`;
  return how === 'in-place'
    ? `Everything else is done. If the corpus has really shrunk, run again with ${approval ?? ''}.`
    : `If that is right, add ${approval ?? ''} and ${again}.`;
}

function buildAgain({ rebuild }: IngestOptions): string {
  return rebuild
    ? 'ingest again: with --rebuild, which begins another build, or without it, which drops this one and updates the live generation'
    : 'ingest again, which continues this build and embeds only what is missing';
}

const MAX_CAUSES = 3;

/** The codes of a run's dead letters, the most frequent first, with the reason of one. */
async function causesOf({ spec, options: { ledger } }: LastSteps): Promise<string> {
  const letters = await ledger.deadLetters(spec.runId);
  const causes = [...Map.groupBy(letters, ({ code }) => code)].sort(([, a], [, b]) => b.length - a.length);
  if (causes.length === 0) return '';
  const shown = causes
    .slice(0, MAX_CAUSES)
    .map(([code, group]) => `${code} ${group.length}, e.g. ${cutText(group[0]?.reason ?? '', 120)}`);
  return ` (${shown.join('; ')})`;
}

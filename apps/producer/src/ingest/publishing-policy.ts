import type { ErrorCode } from '@embedline/core';
import { approvingPercent, exceedsShare, showShare } from './delete-guard.ts';

/** Points that readers see now and would not see any more, by cause. */
export interface LostPoints {
  /** Of documents that are gone from the corpus. */
  readonly vanished: number;
  /** Beyond the end of documents that became shorter or empty, or beside the one of their chunk. */
  readonly shortened: number;
  /** Of documents that are there but could not be read. */
  readonly unread: number;
  /** Of documents whose new chunks were given up on, in proportion. */
  readonly givenUp: number;
  /** Of pipelines that the collection does not name, so that nothing carries them over. */
  readonly unnamed: number;
}

export const NOTHING_LOST: LostPoints = Object.freeze({
  vanished: 0,
  shortened: 0,
  unread: 0,
  givenUp: 0,
  unnamed: 0,
});

/** What readers see of a pipeline, and what they would see after the last step of an ingest. */
export interface Change {
  /** Writes into what readers see, or publishes a new generation in its place. */
  readonly how: 'in-place' | 'publication';
  readonly pipeline: string;
  /** Points that readers see now, or would see if nothing were taken away; the whole that shares are counted of. */
  readonly pointsNow: number;
  /** Points of the pipeline afterwards. */
  readonly pointsAfter: number;
  readonly lost: LostPoints;
  /** Documents that are gone from the corpus. */
  readonly documentsGone: number;
  /** Chunks that the corpus consists of. */
  readonly chunksTotal: number;
  /** Chunks that no worker could embed or no store would take. */
  readonly chunksGivenUp: number;
  /** Records that could not be read. */
  readonly recordsRejected: number;
}

export interface PublishingLimits {
  /** Largest share, 0 to 1, of the points that readers may lose. */
  readonly maxDeleteShare: number;
  /** Largest share, 0 to 1, of the chunks of a new generation that may have been given up on. */
  readonly maxGivenUpShare: number;
}

/** Those of a pipeline that says nothing else. */
export const USUAL_LIMITS: PublishingLimits = Object.freeze({ maxDeleteShare: 0.2, maxGivenUpShare: 0.01 });

/** Why the last step of an ingest is not done without approval. */
export interface Refusal {
  readonly code: Extract<ErrorCode, 'DELETE_GUARD' | 'GIVEN_UP_GUARD' | 'NOTHING_TO_PUBLISH'>;
  /** Numbers and causes, e.g. `29 of the 100 points of docs (29 %) would go: 29 in 29 documents that are gone`. */
  readonly why: string;
  /** The option that approves it, e.g. `--max-delete 29%`; null when nothing does. */
  readonly approval: string | null;
  /** The share that it approves, in percent; null when nothing does. */
  readonly percent: number | null;
}

/**
 * The one rule for what may take the place of what readers see, for deletions in place and for publications alike,
 * whatever the cause. Pure: `ingest` asks it with what has happened, `plan` with what would.
 */
export function refusalOf(change: Change, limits: PublishingLimits): Refusal | null {
  return nothingLeft(change) ?? tooMuchLost(change, limits) ?? tooManyGivenUp(change, limits);
}

/** A pipeline of which nothing is left, because all of it failed, is a failure; an empty corpus is none. */
function nothingLeft(change: Change): Refusal | null {
  const { pointsAfter, chunksGivenUp, recordsRejected } = change;
  if (pointsAfter > 0 || chunksGivenUp + recordsRejected === 0) return null;
  const causes = [
    ...(chunksGivenUp === 0 ? [] : [`${chunksGivenUp} of ${change.chunksTotal} chunks were given up on`]),
    ...(recordsRejected === 0 ? [] : [`${recordsRejected} records could not be read`]),
  ];
  return {
    code: 'NOTHING_TO_PUBLISH',
    why: `there is no point of ${change.pipeline} to show: ${causes.join(', and ')}`,
    approval: null,
    percent: null,
  };
}

function tooMuchLost(change: Change, { maxDeleteShare }: PublishingLimits): Refusal | null {
  const { lost, pointsNow, pipeline } = change;
  const points = Object.values(lost).reduce((sum: number, count: number) => sum + count, 0);
  if (!exceedsShare(points, pointsNow, maxDeleteShare)) return null;
  const percent = approvingPercent(points, pointsNow);
  return {
    code: 'DELETE_GUARD',
    why:
      `${Math.ceil(points)} of the ${pointsNow} points of ${pipeline} (${showShare(points / Math.max(pointsNow, 1))}) would go, ` +
      `more than the ${showShare(maxDeleteShare)} allowed: ${causesOf(change)}`,
    approval: `--max-delete ${percent}%`,
    percent,
  };
}

function causesOf({ lost, documentsGone }: Change): string {
  const parts: [number, string][] = [
    [lost.vanished, `in ${documentsGone} documents that are gone`],
    [lost.shortened, 'in documents that became shorter or empty'],
    [lost.unread, 'in documents that could not be read'],
    [lost.givenUp, 'in documents whose new text could not be embedded or stored'],
    [lost.unnamed, 'of pipelines that the collection does not name'],
  ];
  return parts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${Math.ceil(count)} ${what}`)
    .join(', ');
}

/** Only of a new generation: in place, what was given up on keeps its old point. */
function tooManyGivenUp(change: Change, { maxGivenUpShare }: PublishingLimits): Refusal | null {
  const { how, chunksGivenUp, chunksTotal } = change;
  if (how === 'in-place' || !exceedsShare(chunksGivenUp, chunksTotal, maxGivenUpShare)) return null;
  const percent = approvingPercent(chunksGivenUp, chunksTotal);
  return {
    code: 'GIVEN_UP_GUARD',
    why:
      `${chunksGivenUp} of the ${chunksTotal} chunks of ${change.pipeline} (${showShare(chunksGivenUp / chunksTotal)}) were given up on, ` +
      `more than the ${showShare(maxGivenUpShare)} allowed`,
    approval: `--max-given-up ${percent}%`,
    percent,
  };
}

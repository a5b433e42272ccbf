import type { GenerationPoints } from '@embedline/core';
import { hasSameChunks, type ChosenGeneration } from '../ingest/choose-generation.ts';
import { findSwept, surplusOfRead } from '../ingest/find-swept.ts';
import { lookAtLive, type Documents } from '../ingest/measure-loss.ts';
import { NOTHING_LOST, refusalOf, type Change } from '../ingest/publishing-policy.ts';
import type { SeenDocuments } from '../ingest/seen-documents.ts';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import type { OpenPipeline } from '../pipeline/open-pipeline.ts';
import type { Corpus } from '../readers/corpus.ts';
import type { Tally } from './tally.ts';

export interface Withheld {
  /** `deletion`: everything else is done; `publication`: readers go on seeing what they see. */
  readonly what: 'deletion' | 'publication';
  readonly why: string;
  /** Whether the ingest would end as failed. */
  readonly fails: boolean;
}

export interface PlannedRemoval {
  readonly documents: number;
  readonly chunks: number;
  readonly sample: readonly string[];
  readonly livePoints: number;
  readonly withheld: Withheld | null;
}

interface RemovalOptions {
  readonly pipeline: OpenPipeline;
  readonly chosen: ChosenGeneration;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

/** What readers would lose. @see finish, which asks the same rule with what has happened */
export async function planRemoval(
  points: GenerationPoints | null,
  seen: SeenDocuments,
  options: RemovalOptions,
): Promise<PlannedRemoval> {
  const { chosen, pipeline } = options;
  if (chosen.plan.kind !== 'in-place') return planPublication(points, seen, options);
  if (points === null)
    throw new Error('A collection that is written in place is there. This is a bug in embedline.');
  return pipeline.definition.partial ? planPart(points, seen, options) : planDeletion(points, seen, options);
}

async function planPart(
  points: GenerationPoints,
  seen: SeenDocuments,
  { pipeline: { definition }, tally, signal }: RemovalOptions,
): Promise<PlannedRemoval> {
  const { name } = definition;
  const livePoints = await points.count({ pipeline: name, signal });
  let chunks = 0;
  for await (const ids of surplusOfRead({ points, pipeline: name, seen, signal })) chunks += ids.length;
  const pointsNow = livePoints + tally.missing;
  const change = {
    ...changeOf(tally, name),
    how: 'in-place' as const,
    pointsNow,
    pointsAfter: pointsNow - chunks,
  };
  return { documents: 0, chunks, sample: [], livePoints, withheld: withheldBy(change, definition) };
}

/** A sweep in place comes after the writes. */
async function planDeletion(
  points: GenerationPoints,
  seen: SeenDocuments,
  { pipeline: { definition, corpus }, tally, signal }: RemovalOptions,
): Promise<PlannedRemoval> {
  const { name, sweepIncomplete } = definition;
  const livePoints = await points.count({ pipeline: name, signal });
  const swept = await findSwept({ points, pipeline: name, seen, signal });
  const complete = corpus.problemCount === 0 || sweepIncomplete;
  const pointsNow = livePoints + tally.missing;
  const change = {
    ...changeOf(tally, name),
    how: 'in-place' as const,
    pointsNow,
    pointsAfter: complete ? pointsNow - swept.points : pointsNow,
    documentsGone: swept.documents,
    lost: complete
      ? {
          ...NOTHING_LOST,
          vanished: swept.vanishedPoints,
          shortened: swept.surplusPoints + swept.duplicatePoints,
        }
      : NOTHING_LOST,
  };
  const withheld = withheldBy(change, definition) ?? (complete ? null : incomplete(corpus, 'deletion'));
  const { documents, sample, points: chunks } = swept;
  return { documents, chunks, sample, livePoints, withheld };
}

async function planPublication(
  points: GenerationPoints | null,
  seen: SeenDocuments,
  { pipeline: { definition, model, corpus, fingerprint }, chosen: { live }, tally, signal }: RemovalOptions,
): Promise<PlannedRemoval> {
  const { name, sweepIncomplete } = definition;
  const change = { ...changeOf(tally, name), how: 'publication' as const, pointsAfter: tally.chunks.total };
  if (points === null || live === null) {
    const withheld = withheldBy({ ...change, pointsNow: 0 }, definition);
    return { documents: 0, chunks: 0, sample: [], livePoints: 0, withheld };
  }
  const sameChunks = hasSameChunks(live, { pipeline: name, model: model.spec, fingerprint });
  const { loss, unnamed } = await lookAtLive({ points, pipeline: name, seen, sameChunks, signal }, live);
  const { gone, unread, lost, pointsNow } = loss;
  const withheld =
    corpus.problemCount > 0 && !sweepIncomplete
      ? incomplete(corpus, 'publication')
      : unread.documents > 0 && !sweepIncomplete
        ? unreadable(unread)
        : withheldBy(
            {
              ...change,
              pointsNow: pointsNow + unnamed,
              documentsGone: gone.documents,
              lost: { ...lost, unnamed },
            },
            definition,
          );
  const { documents, sample } = gone;
  return { documents, chunks: lost.vanished, sample, livePoints: pointsNow, withheld };
}

/** As far as it can be known before: that no chunk is given up on. */
function changeOf({ chunks, deadLetters }: Tally, pipeline: string) {
  return {
    pipeline,
    documentsGone: 0,
    lost: NOTHING_LOST,
    chunksTotal: chunks.total,
    chunksGivenUp: 0,
    recordsRejected: deadLetters,
  };
}

function withheldBy(change: Change, { maxDelete, maxGivenUp }: PipelineDefinition): Withheld | null {
  const refusal = refusalOf(change, { maxDeleteShare: maxDelete, maxGivenUpShare: maxGivenUp });
  if (refusal === null) return null;
  const { why, approval, percent } = refusal;
  const what = change.how === 'in-place' ? 'deletion' : 'publication';
  const approve = `it is ${percent ?? 0} % of the points (approve it with ${approval ?? ''})`;
  return { what, why: approval === null ? why : `${approve}: ${why}`, fails: true };
}

/** In place, an ingest does all the rest, and says so. */
function incomplete({ problems }: Corpus, what: Withheld['what']): Withheld {
  return {
    what,
    why: `the corpus could not be read completely: ${problems.join('; ')}`,
    fails: what === 'publication',
  };
}

function unreadable({ documents, sample }: Documents): Withheld {
  const why = `${documents} documents that readers see now could not be read: ${sample.join(', ')}`;
  return { what: 'publication', why, fails: true };
}

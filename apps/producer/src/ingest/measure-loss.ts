import type { Generation, GenerationPoints } from '@embedline/core';
import { otherPipelines } from './choose-generation.ts';
import { NOTHING_LOST, type LostPoints } from './publishing-policy.ts';
import { createDistinctIds, type SeenDocument, type SeenDocuments } from './seen-documents.ts';

export interface MeasureLossOptions {
  readonly pipeline: string;
  /** What readers see now. */
  readonly points: GenerationPoints;
  /** What would take its place. */
  readonly seen: SeenDocuments;
  /** Both have the same model and chunking, so that a chunk of one is a chunk of the other. */
  readonly sameChunks: boolean;
  readonly signal: AbortSignal;
}

/** What readers of a pipeline would lose by a new generation. */
export interface Loss {
  /** Points of the pipeline that readers see now. */
  readonly pointsNow: number;
  readonly lost: LostPoints;
  /** Documents that are gone, and some of them, for people. */
  readonly gone: Documents;
  /** Documents that are there but could not be read. */
  readonly unread: Documents;
}

export interface Documents {
  readonly documents: number;
  readonly sample: readonly string[];
}

const SAMPLE_SIZE = 5;

/** The same, with the points that nothing would carry over: those of pipelines that the generation does not name. */
export async function lookAtLive(
  options: MeasureLossOptions,
  live: Generation,
): Promise<{ readonly loss: Loss; readonly unnamed: number }> {
  const { points, pipeline, signal } = options;
  const loss = await measureLoss(options);
  let named = loss.pointsNow;
  for (const other of otherPipelines(live, pipeline))
    named += await points.count({ pipeline: other, signal });
  return { loss, unnamed: Math.max(0, (await points.count({ signal })) - named) };
}

/**
 * Judges every point that readers see by what the corpus says of its document now. Where the chunks were cut in another
 * way, a point counts as lost when it begins beyond the new end of its document.
 */
async function measureLoss(options: MeasureLossOptions): Promise<Loss> {
  const { pipeline, points, seen, sameChunks, signal } = options;
  const lost = { ...NOTHING_LOST };
  const known = createDistinctIds();
  const [gone, unread] = [newGroup(), newGroup()];
  let pointsNow = 0;
  try {
    for await (const page of points.scan({ pipeline, withStart: !sameChunks, signal })) {
      for (const { documentId, chunkIndex, start = 0 } of page) {
        pointsNow += 1;
        const document = seen.find(documentId);
        const cause = causeOf(document, sameChunks ? chunkIndex : start, sameChunks);
        if (cause !== null) lost[cause] += 1;
        else lost.givenUp += givenUpShare(document);
        const group = cause === 'vanished' ? gone : cause === 'unread' ? unread : null;
        if (group !== null && known.add(documentId)) note(group, documentId);
      }
    }
  } finally {
    known.close();
  }
  return { pointsNow, lost, gone, unread };
}

function causeOf(
  document: SeenDocument | null,
  place: number,
  sameChunks: boolean,
): 'vanished' | 'unread' | 'shortened' | null {
  if (document === null) return 'vanished';
  if (document.chunks === null) return 'unread';
  const end = sameChunks || document.chunks === 0 ? document.chunks : document.length;
  return place >= end ? 'shortened' : null;
}

/** Half of the new chunks of a document missing is half of its old points lost. */
function givenUpShare(document: SeenDocument | null): number {
  if (document === null || document.chunks === null || document.chunks === 0) return 0;
  return document.givenUp / document.chunks;
}

function newGroup() {
  return { documents: 0, sample: [] as string[] };
}

function note(group: ReturnType<typeof newGroup>, documentId: string): void {
  group.documents += 1;
  if (group.sample.length < SAMPLE_SIZE) group.sample.push(documentId);
}

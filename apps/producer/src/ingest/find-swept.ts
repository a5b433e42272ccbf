import { pointId, type GenerationPoints } from '@embedline/core';
import { createDistinctIds, type SeenDocuments, type Verdict } from './seen-documents.ts';

export interface FindSweptOptions {
  readonly pipeline: string;
  readonly points: GenerationPoints;
  readonly seen: SeenDocuments;
  readonly signal: AbortSignal;
}

/** What the collection holds of a pipeline beyond its corpus. */
export interface Swept {
  readonly points: number;
  /** Those of documents that are gone. */
  readonly vanishedPoints: number;
  /** Those beyond the end of documents that became shorter. */
  readonly surplusPoints: number;
  /** Those that stand for a chunk which has a point under its own id: not written by embedline. */
  readonly duplicatePoints: number;
  /** Documents that are gone. */
  readonly documents: number;
  /** Of the documents that are gone, some, for people. */
  readonly sample: readonly string[];
  /** Documents that are there but could not be read; nothing of them is among these points. */
  readonly unread: {
    readonly documents: number;
    readonly points: number;
    readonly sample: readonly string[];
  };
  /** Of all these points; null when there are too many to keep. */
  readonly ids: readonly string[] | null;
}

/** Ids of points to delete are kept in memory up to here; beyond, the scan is repeated to delete. */
const MAX_COLLECTED = 200_000;
const SAMPLE_SIZE = 5;

/** What a sweep would delete; deletes nothing. Its memory is bounded however much that is. */
export async function findSwept(options: FindSweptOptions): Promise<Swept> {
  const ids: string[] = [];
  const documents = createDistinctIds();
  const counts = { vanished: 0, surplus: 0, duplicate: 0 };
  const gone = { documents: 0, sample: [] as string[] };
  const unread = { documents: 0, points: 0, sample: [] as string[] };
  const note = (group: { documents: number; readonly sample: string[] }, documentId: string) => {
    if (!documents.add(documentId)) return;
    group.documents += 1;
    if (group.sample.length < SAMPLE_SIZE) group.sample.push(documentId);
  };
  let points = 0;
  try {
    for await (const page of judgedPages(options)) {
      for (const { id, documentId, why } of page) {
        if (why === 'vanished') note(gone, documentId);
        else if (why === 'unread') {
          unread.points += 1;
          note(unread, documentId);
        }
        if (!isSwept(why)) continue;
        points += 1;
        counts[why] += 1;
        if (points <= MAX_COLLECTED) ids.push(id);
      }
    }
  } finally {
    documents.close();
  }
  return {
    points,
    vanishedPoints: counts.vanished,
    surplusPoints: counts.surplus,
    duplicatePoints: counts.duplicate,
    ...gone,
    unread,
    ids: points <= MAX_COLLECTED ? ids : null,
  };
}

interface JudgedPoint {
  readonly id: string;
  readonly documentId: string;
  readonly why: Verdict | 'duplicate';
}

/** Every point of the pipeline. */
async function* judgedPages({
  points,
  pipeline,
  seen,
  signal,
}: FindSweptOptions): AsyncGenerator<JudgedPoint[]> {
  for await (const page of points.scan({ pipeline, signal })) {
    yield page.map(({ id, documentId, chunkIndex }) => {
      const verdict = seen.judge(documentId, chunkIndex);
      const isOwn = isSwept(verdict) || id === pointId(pipeline, documentId, chunkIndex);
      return { id, documentId, why: isOwn ? verdict : 'duplicate' };
    });
  }
}

function isSwept(why: JudgedPoint['why']): why is 'vanished' | 'surplus' | 'duplicate' {
  return why === 'vanished' || why === 'surplus' || why === 'duplicate';
}

/** Ids of the points that {@link findSwept} counts, as a stream: for more than fits into memory. */
export async function* sweptPages(options: FindSweptOptions): AsyncGenerator<string[]> {
  for await (const page of judgedPages(options))
    yield page.filter(({ why }) => isSwept(why)).map(({ id }) => id);
}

/** Points beyond the new end of documents of which a chunk was given up on, as a stream: they stay. */
export async function* heldPages(options: FindSweptOptions): AsyncGenerator<string[]> {
  for await (const page of judgedPages(options))
    yield page.filter(({ why }) => why === 'held').map(({ id }) => id);
}

/** Points of the chunks that documents of the corpus consist of. */
export async function countCurrent(options: FindSweptOptions): Promise<number> {
  let count = 0;
  for await (const page of judgedPages(options)) count += page.filter(({ why }) => why === 'current').length;
  return count;
}

/**
 * Points beyond the end of the documents that were read; what a sweep may delete after a partial reading. Also of
 * those that are unchanged: what shortened one may have been cut off before its sweep.
 */
export async function* surplusOfRead({
  points,
  pipeline,
  seen,
  signal,
}: FindSweptOptions): AsyncGenerator<string[]> {
  for (const documents of seen.read()) {
    for (const documentId of documents) {
      for await (const page of points.scan({ pipeline, documentId, signal })) {
        const surplus = page.filter(({ chunkIndex }) => seen.judge(documentId, chunkIndex) === 'surplus');
        if (surplus.length > 0) yield surplus.map(({ id }) => id);
      }
    }
  }
}

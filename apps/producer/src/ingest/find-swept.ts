import { pointId, type GenerationPoints } from '@embedline/core';
import { createDistinctIds, type SeenDocuments } from './seen-documents.ts';

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
  /** Of all these points; null when there are too many to keep. */
  readonly ids: readonly string[] | null;
}

/** Ids of points to delete are kept in memory up to here; beyond, the scan is repeated to delete. */
const MAX_COLLECTED = 200_000;
const SAMPLE_SIZE = 5;

/** What a sweep would delete; deletes nothing. Its memory is bounded however much that is. */
export async function findSwept(options: FindSweptOptions): Promise<Swept> {
  const ids: string[] = [];
  const sample: string[] = [];
  const documents = createDistinctIds();
  const counts = { vanished: 0, surplus: 0, duplicate: 0 };
  let documentCount = 0;
  let points = 0;
  try {
    for await (const page of sweptPages(options)) {
      for (const { id, documentId, why } of page) {
        points += 1;
        counts[why] += 1;
        if (points <= MAX_COLLECTED) ids.push(id);
        if (why !== 'vanished' || !documents.add(documentId)) continue;
        documentCount += 1;
        if (sample.length < SAMPLE_SIZE) sample.push(documentId);
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
    documents: documentCount,
    sample,
    ids: points <= MAX_COLLECTED ? ids : null,
  };
}

interface SweptPoint {
  readonly id: string;
  readonly documentId: string;
  readonly why: 'vanished' | 'surplus' | 'duplicate';
}

/** The same as a stream, for more than fits into memory. */
export async function* sweptPages({
  points,
  pipeline,
  seen,
  signal,
}: FindSweptOptions): AsyncGenerator<SweptPoint[]> {
  for await (const page of points.scan({ pipeline, signal })) {
    yield page.flatMap(({ id, documentId, chunkIndex }): SweptPoint[] => {
      const verdict = seen.judge(documentId, chunkIndex);
      if (verdict !== 'current') return [{ id, documentId, why: verdict }];
      return id === pointId(pipeline, documentId, chunkIndex) ? [] : [{ id, documentId, why: 'duplicate' }];
    });
  }
}

/** Points beyond the new end of the documents that were changed; what a sweep may delete after a partial reading. */
export async function* surplusOfChanged({
  points,
  pipeline,
  seen,
  signal,
}: FindSweptOptions): AsyncGenerator<string[]> {
  for (const documents of seen.changed()) {
    for (const documentId of documents) {
      for await (const page of points.scan({ pipeline, documentId, signal })) {
        const surplus = page.filter(({ chunkIndex }) => seen.judge(documentId, chunkIndex) === 'surplus');
        if (surplus.length > 0) yield surplus.map(({ id }) => id);
      }
    }
  }
}

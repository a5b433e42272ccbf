import {
  chunksDigest,
  documentFingerprint,
  pointId,
  type Document,
  type DocumentMark,
  type StoredFingerprint,
  type TextFormat,
} from '@embedline/core';
import { LOOKUP_SIZE } from './vectors-by-text-hash.ts';

/** A document with what its structure is to be read as. */
export interface DocumentToCompare {
  readonly document: Document;
  readonly format: TextFormat;
}

export interface FindUnchangedOptions {
  readonly pipeline: string;
  /** The stored first chunks, by id. */
  readonly firsts: ReadonlyMap<string, StoredFingerprint>;
  /** Looks up to 1,000 ids up; those that are not there are absent. */
  readonly lookUp: (ids: readonly string[]) => Promise<ReadonlyMap<string, StoredFingerprint>>;
}

interface Candidate {
  readonly documentId: string;
  readonly mark: DocumentMark;
  /** Stored chunks from the first on. */
  readonly chunks: StoredFingerprint[];
}

/**
 * Documents that need no tokenising: their mark names their fingerprint, and the digest of all their stored chunks is
 * the one that the mark names, so each chunk is there and as it was. A mark may claim any number of chunks: a document is
 * looked at a page of chunks at a time, for as long as all of them are there.
 * @returns number of chunks by document id
 */
export async function findUnchanged(
  documents: readonly DocumentToCompare[],
  options: FindUnchangedOptions,
): Promise<Map<string, number>> {
  let open = candidatesAmong(documents, options);
  const whole: Candidate[] = [];
  while (open.length > 0) {
    for (const candidate of open) if (isWhole(candidate)) whole.push(candidate);
    open = await lookUpMore(
      open.filter((candidate) => !isWhole(candidate)),
      options,
    );
  }
  const unchanged = whole.filter(({ chunks, mark }) => chunksDigest(chunks) === mark.digest);
  return new Map(unchanged.map(({ documentId, mark }) => [documentId, mark.chunkCount]));
}

function candidatesAmong(
  documents: readonly DocumentToCompare[],
  { pipeline, firsts }: FindUnchangedOptions,
): Candidate[] {
  if (firsts.size === 0) return [];
  return documents.flatMap(({ document, format }) => {
    const first = firsts.get(pointId(pipeline, document.id, 0));
    const mark = first?.documentMark ?? null;
    if (first === undefined || mark === null || mark.fingerprint !== documentFingerprint(document, format))
      return [];
    return [{ documentId: document.id, mark, chunks: [first] }];
  });
}

function isWhole({ chunks, mark }: Candidate): boolean {
  return chunks.length >= mark.chunkCount;
}

/** One page. @returns those of which no chunk is missing so far */
async function lookUpMore(
  candidates: readonly Candidate[],
  { pipeline, lookUp }: FindUnchangedOptions,
): Promise<Candidate[]> {
  const wanted: { readonly candidate: Candidate; readonly ids: readonly string[] }[] = [];
  const left: Candidate[] = [];
  let room = LOOKUP_SIZE;
  for (const candidate of candidates) {
    const { documentId, mark, chunks } = candidate;
    const count = Math.min(room, mark.chunkCount - chunks.length);
    room -= count;
    if (count === 0) left.push(candidate);
    else {
      const ids = Array.from({ length: count }, (_, index) =>
        pointId(pipeline, documentId, chunks.length + index),
      );
      wanted.push({ candidate, ids });
    }
  }
  if (wanted.length === 0) return [];
  const stored = await lookUp(wanted.flatMap(({ ids }) => ids));
  const complete = wanted.filter(({ candidate, ids }) => {
    const found = ids.map((id) => stored.get(id)).filter((chunk) => chunk !== undefined);
    for (const chunk of found) candidate.chunks.push(chunk);
    return found.length === ids.length;
  });
  return [...complete.map(({ candidate }) => candidate), ...left];
}

import {
  chunksDigest,
  embeddedText,
  documentFingerprint,
  payloadHash,
  pointId,
  sameMark,
  textHash,
  type Chunk,
  type ChunkableText,
  type ChunkRecord,
  type Document,
  type GenerationPoints,
  type StoredFingerprint,
} from '@embedline/core';
import type { ChunkDocuments } from './chunk-documents.ts';
import { findUnchanged, type DocumentToCompare } from './find-unchanged.ts';
import { LOOKUP_SIZE, vectorsByTextHash } from './vectors-by-text-hash.ts';

/** What is to be done to make one document's points match it. */
export interface DocumentDecision {
  readonly document: Document;
  readonly change: 'new' | 'changed' | 'unchanged';
  readonly chunkCount: number;
  /** Chunks that have no point. */
  readonly missing: number;
  /** Chunks whose points are as they should be already. */
  readonly skipped: number;
  /** Same vector, other payload: offsets, title, metadata. */
  readonly payloadUpdates: readonly ChunkRecord[];
  /** New or changed text for which the collection has a vector already. */
  readonly reused: readonly { readonly chunk: ChunkRecord; readonly vector: Float32Array }[];
  readonly toEmbed: readonly ChunkRecord[];
  /** Tokens of its chunks' texts, and those among them that the model does not know; zero for a document that was not cut. */
  readonly tokensCut: number;
  readonly tokensUnknown: number;
}

export interface CompareOptions {
  readonly pipeline: string;
  readonly passagePrefix: string;
  /** Whether titles are embedded above their texts. Defaults to false. */
  readonly embedTitle?: boolean;
  readonly chunk: ChunkDocuments;
  /** What the documents are compared with: where the run writes; null when nothing is there yet. */
  readonly target: GenerationPoints | null;
  /** Where vectors of equal texts are looked for: the live generation, if it has the same model. */
  readonly reuseFrom: GenerationPoints | null;
  readonly signal: AbortSignal;
}

/**
 * Compares documents with what the collection holds. Everything that has to be read of the store is read before
 * anything is written for these documents, so that a text that moved up by one chunk still finds its vector.
 */
export async function compareDocuments(
  documents: readonly DocumentToCompare[],
  options: CompareOptions,
): Promise<DocumentDecision[]> {
  const firstIds = documents.map(({ document }) => pointId(options.pipeline, document.id, 0));
  const stored = await lookUp(firstIds, options);
  const unchanged = await findUnchanged(documents, {
    pipeline: options.pipeline,
    firsts: stored,
    lookUp: (ids) => lookUp(ids, options),
  });
  const rest = documents.filter(({ document }) => !unchanged.has(document.id));
  const chunked = await options.chunk(rest.map(toChunkable));
  const records = rest.map((document, index) => recordsOf(document, chunked[index] ?? [], options));
  const others = records.flatMap((chunks) => chunks.slice(1).map(({ id }) => id));
  for (const [id, fingerprint] of await lookUp(others, options)) stored.set(id, fingerprint);
  const vectors = await findVectors(records.flat(), stored, options);
  const decisions = new Map<string, DocumentDecision>();
  rest.forEach(({ document }, index) => {
    const decision = decide(document, records[index] ?? [], stored, vectors, options.pipeline);
    decisions.set(document.id, { ...decision, ...tokensOf(chunked[index] ?? []) });
  });
  return documents.map(
    ({ document }) => decisions.get(document.id) ?? skipWhole(document, unchanged.get(document.id) ?? 0),
  );
}

function tokensOf(chunks: readonly Chunk[]) {
  return {
    tokensCut: chunks.reduce((sum, { textTokens }) => sum + textTokens, 0),
    tokensUnknown: chunks.reduce((sum, { unknownTokens }) => sum + unknownTokens, 0),
  };
}

function toChunkable({ document, format }: DocumentToCompare): ChunkableText {
  const { text, title, bodyStart = 0 } = document;
  return { text, title, format, bodyStart };
}

function recordsOf(
  { document, format }: DocumentToCompare,
  chunks: readonly Chunk[],
  { pipeline, passagePrefix, embedTitle = false }: CompareOptions,
): ChunkRecord[] {
  const { metadata } = document;
  const records = chunks.map((chunk) => ({
    id: pointId(pipeline, document.id, chunk.index),
    pipeline,
    documentId: document.id,
    chunkIndex: chunk.index,
    text: chunk.text,
    ...(chunk.embeddedText === undefined ? {} : { embeddedText: chunk.embeddedText }),
    start: chunk.start,
    end: chunk.end,
    title: chunk.title,
    tokens: chunk.tokens,
    metadata,
    textHash: textHash(passagePrefix, embeddedText(chunk, embedTitle)),
    payloadHash: payloadHash(chunk, metadata),
    documentMark: null,
  }));
  const [first, ...others] = records;
  if (first === undefined) return [];
  const documentMark = {
    fingerprint: documentFingerprint(document, format),
    chunkCount: records.length,
    digest: chunksDigest(records),
  };
  return [{ ...first, documentMark }, ...others];
}

async function lookUp(
  ids: readonly string[],
  { target, signal }: CompareOptions,
): Promise<Map<string, StoredFingerprint>> {
  const found = new Map<string, StoredFingerprint>();
  if (target === null) return found;
  for (let start = 0; start < ids.length; start += LOOKUP_SIZE) {
    const page = await target.fingerprints(ids.slice(start, start + LOOKUP_SIZE), { signal });
    for (const [id, fingerprint] of page) found.set(id, fingerprint);
  }
  return found;
}

/** Vectors by text hash, for the texts that are new at their place. */
async function findVectors(
  chunks: readonly ChunkRecord[],
  stored: ReadonlyMap<string, StoredFingerprint>,
  { reuseFrom, signal }: CompareOptions,
): Promise<Map<string, Float32Array>> {
  if (reuseFrom === null) return new Map();
  const isNew = ({ id, textHash: hash }: ChunkRecord) => stored.get(id)?.textHash !== hash;
  const hashes = chunks.filter(isNew).map(({ textHash: hash }) => hash);
  return vectorsByTextHash(hashes, reuseFrom, signal);
}

function decide(
  document: Document,
  chunks: readonly ChunkRecord[],
  stored: ReadonlyMap<string, StoredFingerprint>,
  vectors: ReadonlyMap<string, Float32Array>,
  pipeline: string,
): Omit<DocumentDecision, 'tokensCut' | 'tokensUnknown'> {
  const payloadUpdates: ChunkRecord[] = [];
  const reused: { chunk: ChunkRecord; vector: Float32Array }[] = [];
  const toEmbed: ChunkRecord[] = [];
  let known = 0;
  for (const chunk of chunks) {
    const point = stored.get(chunk.id);
    if (point !== undefined) known += 1;
    if (point?.textHash === chunk.textHash) {
      const same =
        point.payloadHash === chunk.payloadHash && sameMark(point.documentMark, chunk.documentMark);
      if (!same) payloadUpdates.push(chunk);
      continue;
    }
    const vector = vectors.get(chunk.textHash);
    if (vector === undefined) toEmbed.push(chunk);
    else reused.push({ chunk, vector });
  }
  const skipped = chunks.length - payloadUpdates.length - reused.length - toEmbed.length;
  const change =
    chunks.length === 0
      ? changeOfEmpty(document, stored, pipeline)
      : known === 0
        ? 'new'
        : skipped === chunks.length
          ? 'unchanged'
          : 'changed';
  const missing = chunks.length - known;
  return { document, change, chunkCount: chunks.length, missing, skipped, payloadUpdates, reused, toEmbed };
}

/** A document without text has no point: it changed when it had one. */
function changeOfEmpty(
  { id }: Document,
  stored: ReadonlyMap<string, StoredFingerprint>,
  pipeline: string,
): 'changed' | 'unchanged' {
  return stored.has(pointId(pipeline, id, 0)) ? 'changed' : 'unchanged';
}

function skipWhole(document: Document, chunkCount: number): DocumentDecision {
  return {
    document,
    change: 'unchanged',
    chunkCount,
    missing: 0,
    skipped: chunkCount,
    payloadUpdates: [],
    reused: [],
    toEmbed: [],
    tokensCut: 0,
    tokensUnknown: 0,
  };
}

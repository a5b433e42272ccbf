import type { DeadLetter, Document, MetadataScalar, Origin } from '@embedline/core';

export type SourceFormat = 'jsonl' | 'csv' | 'text' | 'markdown';

/** A document as it was read, or the reason why a record is none. */
export type ReadItem =
  | { readonly type: 'document'; readonly document: Document; readonly format: SourceFormat }
  | {
      readonly type: 'reject';
      readonly deadLetter: DeadLetter;
      /** What the deletion of vanished documents has to know: was it a document whose id can be told? */
      readonly documentId: string | null;
    }
  /** Bytes of the sources that have been read since the last such item; for progress. */
  | { readonly type: 'progress'; readonly bytes: number };

/** A field of a record that becomes metadata, under a name of its own. */
export interface MetadataField {
  readonly name: string;
  readonly from: string;
}

/** How records are read. */
export interface RecordOptions {
  readonly idField: string;
  readonly textField: string;
  readonly titleField: string;
  /** Only these become metadata. */
  readonly metadataFields: readonly MetadataField[];
  readonly limits: ReadLimits;
}

export interface ReadLimits {
  /** A longer line is a dead letter and is never held in memory. Defaults to 8 MiB. */
  readonly maxLineBytes: number;
  /** A longer document is a dead letter. Defaults to 32 MiB. */
  readonly maxDocumentBytes: number;
  /** Of a document's metadata, and of its title, which is stored with every chunk. Defaults to 64 KiB. */
  readonly maxMetadataBytes: number;
  /** Bytes out per byte in, once a megabyte has come out. Defaults to 200: more is a decompression bomb. */
  readonly maxGzipRatio: number;
}

export const DEFAULT_READ_LIMITS: ReadLimits = Object.freeze({
  maxLineBytes: 8 * 1024 * 1024,
  maxDocumentBytes: 32 * 1024 * 1024,
  maxMetadataBytes: 64 * 1024,
  maxGzipRatio: 200,
});

export interface Rejection {
  readonly reason: string;
  readonly documentId?: string | null;
  readonly excerpt?: string | null;
}

/** A record that is given up on, in the form of a dead letter. */
export function reject(origin: Origin, { reason, documentId = null, excerpt = null }: Rejection): ReadItem {
  const place = origin.line === undefined ? origin.file : `${origin.file}:${origin.line}`;
  return {
    type: 'reject',
    documentId,
    deadLetter: {
      key: `read:${place}`,
      stage: 'read',
      code: 'RECORD_INVALID',
      // A parser's message may quote half a character.
      reason: reason.toWellFormed(),
      documentId,
      chunkIndex: null,
      origin,
      excerpt: excerpt === null ? null : excerpt.slice(0, 200).toWellFormed(),
      attempts: 1,
    },
  };
}

/** @throws RangeError for a value that metadata cannot hold, with the reason */
export function metadataValue(field: string, value: unknown): MetadataScalar | readonly MetadataScalar[] {
  if (Array.isArray(value)) return value.map((element) => metadataScalar(field, element));
  return metadataScalar(field, value);
}

function metadataScalar(field: string, value: unknown): MetadataScalar {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new RangeError(`field ${JSON.stringify(field)} is not a finite number`);
  if (typeof value === 'string' && !value.isWellFormed())
    throw new RangeError(`field ${JSON.stringify(field)} holds half of a surrogate pair`);
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value;
  throw new RangeError(
    `field ${JSON.stringify(field)} is nested; metadata takes texts, numbers, true/false and lists of them (leave it out of --metadata-fields)`,
  );
}

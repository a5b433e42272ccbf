import type { DeadLetter, Document, Origin } from '@embedline/core';
import { cutText } from '@embedline/core/base';
import type { SourceEncoding } from './encodings.ts';

export type SourceFormat = 'jsonl' | 'csv' | 'text' | 'markdown';

/** A document as it was read, or the reason why a record is not one. */
export type ReadItem =
  | {
      readonly type: 'document';
      readonly document: Document;
      readonly format: SourceFormat;
      /** True for an id that was written as a number: it must not pass for the text that spells it. */
      readonly numericId?: boolean;
    }
  | {
      readonly type: 'reject';
      readonly deadLetter: DeadLetter;
      /** What the deletion of vanished documents has to know: was it a document whose id can be told? */
      readonly documentId: string | null;
    }
  /** Bytes of the sources that have been read since the last such item; for progress. */
  | { readonly type: 'progress'; readonly bytes: number }
  | ReadNote;

/** Something that people have to be told of a source, though no record was lost by it. */
export type ReadNote =
  /** How a file was read, where that had to be found out. */
  | { readonly type: 'note'; readonly about: 'form'; readonly what: string; readonly origin: Origin }
  /** A record whose metadata lacks a field, and why. */
  | {
      readonly type: 'note';
      readonly about: 'metadata';
      readonly field: string;
      readonly what: string;
      readonly origin: Origin;
    }
  /** A row of CSV that ends before its header does. */
  | { readonly type: 'note'; readonly about: 'short-row'; readonly origin: Origin };

/** What the values of a metadata field are turned into. */
export type MetadataType = 'text' | 'number' | 'boolean' | 'date';

/** A field of a record that becomes metadata, under a name of its own. */
export interface MetadataField {
  readonly name: string;
  /** A field, or a path of fields such as `author.name`. */
  readonly from: string;
  /** What does not fit is left out. Absent: values of JSON are what they are, those of CSV are texts. */
  readonly valueType?: MetadataType | undefined;
}

/** Where the id of a record comes from. */
export type IdSource = 'field' | 'line' | 'hash';

/** How records are read. */
export interface RecordOptions {
  /** Fields, or paths of fields, that make up the id together. */
  readonly idFields: readonly string[];
  /** `field`; `line`: file and line; `hash`: what the document says. Defaults to `field`. */
  readonly idFrom: IdSource;
  /** Fields, or paths of fields, whose texts make up the document's, with a blank line between them. */
  readonly textFields: readonly string[];
  readonly titleField: string;
  /** Only these become metadata. */
  readonly metadataFields: readonly MetadataField[];
  /** A field that metadata cannot hold costs the record. Defaults to false: it is left out, and told. */
  readonly strictMetadata: boolean;
  /** Whether a .json beside a text is looked at for its metadata. Defaults to true. */
  readonly sidecars: boolean;
  /** How CSV is written; what is undefined is found out. */
  readonly csv: CsvOptions;
  readonly limits: ReadLimits;
}

export interface CsvOptions {
  /** One character of ASCII. */
  readonly delimiter?: string | undefined;
  /** One character of ASCII; null for none. Defaults to " for CSV, and for TSV that has them as CSV does. */
  readonly quote?: string | null | undefined;
  /** One character of ASCII; null for none. Defaults to a backslash where a field is `\N`, else to none. */
  readonly escape?: string | null | undefined;
  /** False: columns are called 1, 2, 3 ... Defaults to true. */
  readonly header: boolean;
}

/** What the readers of records need to know of the source they read. */
export interface ReaderOptions extends RecordOptions {
  /** Path below the root, for ids made from it. Defaults to the name for people. */
  readonly fileId?: string;
  /** What its bytes were before they became UTF-8. Defaults to UTF-8. */
  readonly encoding?: SourceEncoding;
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

export const DEFAULT_RECORD_OPTIONS: RecordOptions = Object.freeze({
  idFields: ['id'],
  idFrom: 'field',
  textFields: ['text'],
  titleField: 'title',
  metadataFields: [],
  strictMetadata: false,
  sidecars: true,
  csv: { header: true },
  limits: DEFAULT_READ_LIMITS,
});

export interface Rejection {
  readonly reason: string;
  readonly documentId?: string | null;
  readonly excerpt?: string | null;
}

/** A record that is given up on, in the form of a dead letter. */
export function reject(
  origin: Origin,
  { reason, documentId = null, excerpt = null }: Rejection,
): Extract<ReadItem, { type: 'reject' }> {
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
      excerpt: excerpt === null ? null : cutText(excerpt, 200).toWellFormed(),
      attempts: 1,
    },
  };
}

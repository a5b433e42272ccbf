import { messageOf, type Metadata, type MetadataValue, type Origin } from '@embedline/core';
import { firstNames, kindOf, lookUp, namesOf, type Fields } from './look-up.ts';
import { metadataValue } from './metadata-value.ts';
import {
  reject,
  type MetadataField,
  type ReaderOptions,
  type ReadItem,
  type ReadNote,
  type SourceFormat,
} from './read-item.ts';
import { idOfContent, idOfFields, idOfLine, type RecordId } from './record-id.ts';

/** A record of named fields, as a reader found it. */
export interface SourceRecord {
  readonly fields: Fields;
  readonly origin: Origin;
  readonly format: SourceFormat;
  /** By the names in use, why a value cannot be told. */
  readonly doubts?: ReadonlyMap<string, string>;
  /** By the names in use, numbers that would lose digits. */
  readonly lossy?: ReadonlyMap<string, string>;
  /** By the names in use, values as they are written. */
  readonly written?: ReadonlyMap<string, string>;
}

const NONE: ReadonlyMap<string, string> = new Map();

/** The document of a record, or why it is not one; before it, what is left out of its metadata. */
export function* documentOf(record: SourceRecord, options: ReaderOptions): Generator<ReadItem> {
  const { origin, format, doubts = NONE } = record;
  let id: RecordId | null = null;
  const notes: ReadNote[] = [];
  try {
    id = ownId(record, options);
    const doubt = firstDoubt(doubts, options);
    if (doubt !== null) throw new RangeError(doubt);
    const text = textOf(record.fields, options);
    const title = titleOf(record.fields, options);
    const metadata = metadataOf(record, options, (note) => notes.push(note));
    id ??= { id: idOfContent(text, title, metadata), isNumeric: false };
    const document = { id: id.id, text, title, metadata, origin };
    yield* notes;
    yield { type: 'document', document, format, ...(id.isNumeric ? { numericId: true } : {}) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const { documentId, excerpt } = { documentId: id?.id ?? null, excerpt: null };
    yield reject(origin, { reason: messageOf(error), documentId, excerpt });
  }
}

/** Null when only the whole content tells it. @throws RangeError */
function ownId(
  { fields, origin, doubts = NONE, written = NONE }: SourceRecord,
  options: ReaderOptions,
): RecordId | null {
  switch (options.idFrom) {
    case 'hash':
      return null;
    case 'line':
      return { id: idOfLine(origin, options.fileId), isNumeric: false };
    case 'field': {
      const doubtful = options.idFields
        .map((field) => doubts.get(field))
        .find((doubt) => doubt !== undefined);
      if (doubtful !== undefined) throw new RangeError(doubtful);
      return idOfFields(fields, options, written);
    }
  }
}

/** Of a title or a text; a doubt about metadata costs the field. */
function firstDoubt(
  doubts: ReadonlyMap<string, string>,
  { textFields, titleField }: ReaderOptions,
): string | null {
  for (const field of [...textFields, titleField]) {
    const doubt = doubts.get(field);
    if (doubt !== undefined) return doubt;
  }
  return null;
}

/** Every field of a record that says something: a doubt about another one is of no account. */
export function namesInUse(options: ReaderOptions): Set<string> {
  const { idFields, textFields, titleField, idFrom } = options;
  return new Set([...keptNames(options), ...(idFrom === 'field' ? idFields : []), ...textFields, titleField]);
}

/** Fields that become metadata. */
export function keptNames({ metadataFields }: ReaderOptions): Set<string> {
  return new Set(metadataFields.map(({ from }) => from));
}

/** The same, and the fields of a record in which paths begin. */
export function columnsInUse(options: ReaderOptions): Set<string> {
  return new Set([...namesInUse(options)].flatMap(firstNames));
}

/** The texts of all its fields, a blank line between them. @throws RangeError with the reason */
function textOf(fields: Fields, options: ReaderOptions): string {
  const { textFields } = options;
  const found = textFields.map((field) => ({ field, text: lookUp(fields, field) }));
  const texts = found.filter(({ text }) => text !== undefined && text !== null);
  const named = textFields.map((field) => JSON.stringify(field)).join(', ');
  if (texts.length === 0) {
    const missing =
      textFields.length === 1 ? `field ${named} is missing` : `none of the fields ${named} is there`;
    throw new RangeError(`no text: ${missing}${namesOf(fields)} (--text-field)`);
  }
  const parts = texts.map(({ field, text }) => {
    if (typeof text === 'string') return text;
    throw new RangeError(`the text in field ${JSON.stringify(field)} is ${kindOf(text)}, not a text`);
  });
  const said = parts.length === 1 ? parts : parts.map((part) => part.trim()).filter((part) => part !== '');
  const text = said.join('\n\n');
  const problem = textProblem(text, options);
  if (problem !== null) throw new RangeError(problem);
  return text;
}

/** It is stored once a chunk, hence the limit. @throws RangeError with the reason */
function titleOf(fields: Fields, { titleField, limits }: ReaderOptions): string | null {
  const title = lookUp(fields, titleField);
  if (typeof title !== 'string' || title.trim() === '') return null;
  const bytes = Buffer.byteLength(title);
  if (bytes > limits.maxMetadataBytes)
    throw new RangeError(
      `the title is ${bytes} bytes long, more than the ${limits.maxMetadataBytes} allowed (--max-metadata-bytes)`,
    );
  return title.toWellFormed();
}

/**
 * Picks the named fields. One that metadata cannot hold is left out and told, or is the reason why the record is not
 * read (`strictMetadata`).
 * @throws RangeError with the reason
 */
export function metadataOf(
  record: SourceRecord,
  options: ReaderOptions,
  tell: (note: ReadNote) => void,
): Metadata {
  const metadata = Object.create(null) as Record<string, MetadataValue>;
  let bytes = 2;
  for (const field of options.metadataFields) {
    try {
      const value = valueOf(record, field);
      if (value === undefined) continue;
      const more = Buffer.byteLength(JSON.stringify([field.name, value])) + 1;
      assertRoom(bytes + more, options);
      metadata[field.name] = value;
      bytes += more;
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      const what = messageOf(cause);
      if (options.strictMetadata)
        throw new RangeError(`field ${JSON.stringify(field.from)}: ${what} (--strict-metadata)`, { cause });
      tell({ type: 'note', about: 'metadata', field: shownField(field), what, origin: record.origin });
    }
  }
  return metadata;
}

/** As `--metadata-fields` names it: two may be made of one. */
function shownField({ name, from }: MetadataField): string {
  return name === from ? name : `${name}=${from}`;
}

/** @throws RangeError */
function valueOf(record: SourceRecord, { from, valueType }: MetadataField): MetadataValue | undefined {
  const { fields, format, doubts = NONE, lossy = NONE, written = NONE } = record;
  const value = lookUp(fields, from);
  const doubt = doubts.get(from);
  if (doubt !== undefined) throw new RangeError(doubt);
  const number = typeof value === 'number' ? written.get(from) : undefined;
  // As a text a number keeps the digits that it is written with.
  if (number !== undefined && valueType === 'text') return number;
  const lost = lossy.get(from);
  if (lost !== undefined) throw new RangeError(lost);
  if (value === undefined) return undefined;
  return metadataValue(value, valueType ?? (format === 'csv' ? 'text' : undefined));
}

/** @throws RangeError */
function assertRoom(bytes: number, { limits: { maxMetadataBytes } }: ReaderOptions): void {
  if (bytes <= maxMetadataBytes) return;
  throw new RangeError(
    `the metadata would be ${bytes} bytes long with it, more than the ${maxMetadataBytes} allowed (--max-metadata-bytes)`,
  );
}

/** Why a text cannot be a document's, or null. One that is empty is a document of no chunks. */
export function textProblem(text: string, { limits }: ReaderOptions): string | null {
  if (!text.isWellFormed()) return 'the text holds half of a surrogate pair';
  if (Buffer.byteLength(text) > limits.maxDocumentBytes)
    return `the text is longer than ${limits.maxDocumentBytes} bytes (--max-document-bytes)`;
  return null;
}

import type { Metadata, MetadataValue, Origin } from '@embedline/core';
import { metadataValue, reject, type ReadItem, type RecordOptions, type SourceFormat } from './read-item.ts';

/** These would reach into an object's prototype in careless programs that read the payload. */
const FORBIDDEN_NAMES = new Set(['__proto__', 'constructor', 'prototype']);

/** Fields of one record, by name; a null-prototype object or the result of JSON.parse. */
export type Fields = Readonly<Record<string, unknown>>;

/** Makes the document of a record of named fields (JSON, CSV), or says why it is none. */
export function documentOf(
  fields: Fields,
  origin: Origin,
  format: SourceFormat,
  options: RecordOptions,
  doubts: ReadonlyMap<string, string> = new Map(),
): ReadItem {
  const doubtfulId = doubts.get(options.idField);
  if (doubtfulId !== undefined) return reject(origin, { reason: doubtfulId });
  const id = own(fields, options.idField);
  const field = JSON.stringify(options.idField);
  if (id === undefined || id === null || id === '')
    return reject(origin, { reason: `no id: field ${field} is missing or empty (--id-field)` });
  if (typeof id !== 'string') {
    return reject(origin, {
      reason: `the id in field ${field} is ${describe(id)}, not a text: put it in quotes (numbers lose digits beyond 2^53)`,
    });
  }
  if (!id.isWellFormed() || id.includes('\0'))
    return reject(origin, { reason: 'the id holds half of a surrogate pair or a NUL character' });
  if (Buffer.byteLength(id) > 1024)
    return reject(origin, { reason: 'the id is longer than 1,024 bytes', excerpt: id });
  const [doubt] = doubts.values();
  if (doubt !== undefined) return reject(origin, { reason: doubt, documentId: id });
  const text = own(fields, options.textField);
  const problem = textProblem(text, options);
  if (problem !== null || typeof text !== 'string')
    return reject(origin, { reason: problem ?? 'no text', documentId: id });
  try {
    const title = titleOf(fields, options);
    const metadata = metadataOf(fields, options);
    const document = { id, text, title, metadata, origin };
    return { type: 'document', document, format };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return reject(origin, { reason: error.message, documentId: id });
  }
}

/** Every field of a record that says something: a doubt about another one is none. */
export function namesInUse(options: RecordOptions): Set<string> {
  return keptNames(options).add(options.idField).add(options.textField).add(options.titleField);
}

/** Fields that become metadata. */
export function keptNames({ metadataFields }: RecordOptions): Set<string> {
  return new Set(metadataFields.map(({ from }) => from));
}

/** It is stored once a chunk, hence the limit. @throws RangeError with the reason */
function titleOf(fields: Fields, { titleField, limits }: RecordOptions): string | null {
  const title = own(fields, titleField);
  if (typeof title !== 'string' || title.trim() === '') return null;
  const bytes = Buffer.byteLength(title);
  if (bytes > limits.maxMetadataBytes)
    throw new RangeError(
      `the title is ${bytes} bytes long, more than the ${limits.maxMetadataBytes} allowed (--max-metadata-bytes)`,
    );
  return title.toWellFormed();
}

/** Picks the named fields. @throws RangeError with the reason */
export function metadataOf(fields: Fields, { metadataFields, limits }: RecordOptions): Metadata {
  const metadata = Object.create(null) as Record<string, MetadataValue>;
  for (const { name, from } of metadataFields) {
    const value = own(fields, from);
    if (value !== undefined) metadata[name] = metadataValue(from, value);
  }
  const bytes = Buffer.byteLength(JSON.stringify(metadata));
  if (bytes > limits.maxMetadataBytes) {
    throw new RangeError(
      `the metadata is ${bytes} bytes long, more than the ${limits.maxMetadataBytes} allowed (--max-metadata-bytes)`,
    );
  }
  return metadata;
}

/** Why a value cannot be a document's text, or null. One that is empty is a document of no chunks. */
export function textProblem(text: unknown, { textField, limits }: RecordOptions): string | null {
  const field = JSON.stringify(textField);
  if (text === undefined || text === null) return `no text: field ${field} is missing (--text-field)`;
  if (typeof text !== 'string') return `the text in field ${field} is ${describe(text)}, not a text`;
  if (!text.isWellFormed()) return 'the text holds half of a surrogate pair';
  if (Buffer.byteLength(text) > limits.maxDocumentBytes)
    return `the text is longer than ${limits.maxDocumentBytes} bytes (--max-document-bytes)`;
  return null;
}

/**
 * Reads `year,president=name`: field `year` as it is called, and field `name` as `president`.
 * @throws RangeError with the reason
 */
export function parseMetadataFields(list: string): { name: string; from: string }[] {
  return list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', from = name] = part.split('=', 2).map((half) => half.trim());
      if (name === '' || from === '')
        throw new RangeError(`expected NAME or NAME=FIELD, got ${JSON.stringify(part)}`);
      if (FORBIDDEN_NAMES.has(name))
        throw new RangeError(`${JSON.stringify(name)} cannot be the name of a metadata field`);
      return { name, from };
    });
}

function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

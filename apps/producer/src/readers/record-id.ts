import { hash } from 'node:crypto';
import { canonicalMetadata, type Metadata, type Origin } from '@embedline/core';
import { kindOf, lookUp, namesOf, type Fields } from './look-up.ts';
import type { ReaderOptions } from './read-item.ts';

export interface RecordId {
  readonly id: string;
  /** True when it was written as a number. */
  readonly isNumeric: boolean;
}

const MAX_ID_BYTES = 1024;

/**
 * The id that the fields of a record say. Several are joined by `/`, with `/` and `%` in them written as `%2F` and `%25`,
 * so that ("a/b", "c") and ("a", "b/c") differ.
 * @param written values of JSON as they are written: a whole number is its own digits, however many
 * @throws RangeError with the reason
 */
export function idOfFields(
  fields: Fields,
  { idFields }: Pick<ReaderOptions, 'idFields'>,
  written: ReadonlyMap<string, string>,
): RecordId {
  const parts = idFields.map((field) => idPart(fields, field, written.get(field)));
  const [only] = parts;
  const id =
    parts.length === 1 && only !== undefined
      ? only
      : { id: parts.map((part) => escaped(part.id)).join('/'), isNumeric: false };
  assertUsable(id.id);
  return id;
}

/** The id of a record that has none of its own: the place where it stands. Stable only while nothing is inserted above. */
export function idOfLine({ file, line }: Origin, fileId: string | undefined): string {
  return `${fileId ?? file}:${line ?? 1}`;
}

/** The id of a record that has none of its own: what it says. Two that say the same are one. */
export function idOfContent(text: string, title: string | null, metadata: Metadata): string {
  const parts = JSON.stringify([text, title, canonicalMetadata(metadata)]);
  return hash('sha256', parts, 'hex').slice(0, 32);
}

function idPart(fields: Fields, field: string, written: string | undefined): RecordId {
  const value = lookUp(fields, field);
  const named = `field ${JSON.stringify(field)}`;
  if (value === undefined || value === null || value === '')
    throw new RangeError(
      `no id: ${named} is missing or empty${namesOf(fields)} (--id-field, or --id-from line or hash)`,
    );
  if (typeof value === 'string') return { id: value, isNumeric: false };
  if (typeof value !== 'number')
    throw new RangeError(`the id in ${named} is ${kindOf(value)}, not a text or a whole number`);
  if (Number.isSafeInteger(value)) return { id: String(value), isNumeric: true };
  if (written !== undefined && /^-?\d+$/.test(written)) return { id: written, isNumeric: true };
  throw new RangeError(
    `the id in ${named} is the number ${String(value)}, not a text or a whole number: put it in quotes`,
  );
}

function assertUsable(id: string): void {
  if (!id.isWellFormed() || id.includes('\0'))
    throw new RangeError('the id holds half of a surrogate pair or a NUL character');
  if (Buffer.byteLength(id) > MAX_ID_BYTES)
    throw new RangeError(
      'the id is longer than 1,024 bytes (name another field with --id-field, or use --id-from hash)',
    );
}

function escaped(part: string): string {
  return part.replaceAll('%', '%25').replaceAll('/', '%2F');
}

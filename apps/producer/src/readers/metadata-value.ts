import { cutText, toRfc3339, type MetadataScalar, type MetadataValue } from '@embedline/core';
import type { MetadataType } from './read-item.ts';

/**
 * What metadata keeps of a value: a text, number, true, false or null, or a list of them.
 * @returns undefined for a blank value that stands for no number, date or truth value
 * @throws RangeError for a value that it cannot hold, with the reason
 */
export function metadataValue(
  value: unknown,
  valueType: MetadataType | undefined,
): MetadataValue | undefined {
  if (!Array.isArray(value)) return scalar(value, valueType);
  const list = value.map((element) => scalar(element, valueType)).filter((one) => one !== undefined);
  return list;
}

function scalar(value: unknown, valueType: MetadataType | undefined): MetadataScalar | undefined {
  if (typeof value === 'object' && value !== null)
    throw new RangeError(
      'it is nested; metadata takes texts, numbers, true/false and lists of them (name what is inside, e.g. author.name)',
    );
  if (value === null || valueType === undefined) return plain(value);
  if (typeof value === 'string' && value.trim() === '' && valueType !== 'text') return undefined;
  switch (valueType) {
    case 'text':
      return plain(typeof value === 'number' || typeof value === 'boolean' ? String(value) : value);
    case 'number':
      return numberOf(value);
    case 'boolean':
      return booleanOf(value);
    case 'date':
      return dateOf(value);
  }
}

function plain(value: unknown): MetadataScalar {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('it is not a finite number');
  if (typeof value === 'string' && !value.isWellFormed())
    throw new RangeError('it holds half of a surrogate pair');
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value;
  throw new RangeError(`it is ${typeof value}`);
}

const NUMBER = /^[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

function numberOf(value: unknown): number {
  const written = typeof value === 'string' ? value.trim() : null;
  const number = written === null ? value : NUMBER.test(written) ? Number(written) : null;
  if (typeof number !== 'number') throw unfit(value, 'number');
  if (!Number.isFinite(number)) throw new RangeError('it is not a finite number');
  if (written !== null && /^[+-]?\d+$/.test(written) && !isExact(written, number))
    throw new RangeError(
      `${written.slice(0, 60)} would lose digits as a number (beyond 2^53): keep it as :text`,
    );
  return number;
}

function isExact(written: string, number: number): boolean {
  return Number.isSafeInteger(number) || BigInt(written.replace('+', '')) === BigInt(number);
}

function booleanOf(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  const word = String(value).trim().toLowerCase();
  if (['true', 'yes', '1'].includes(word)) return true;
  if (['false', 'no', '0'].includes(word)) return false;
  throw unfit(value, 'boolean');
}

function dateOf(value: unknown): string {
  const date = typeof value === 'string' ? toRfc3339(value.trim()) : null;
  if (date === null) throw unfit(value, 'date (RFC 3339, e.g. 2026-01-31 or 2026-01-31T10:00:00Z)');
  return date;
}

function unfit(value: unknown, type: string): RangeError {
  return new RangeError(`${JSON.stringify(cutText(String(value), 60).toWellFormed())} is not a ${type}`);
}

import type { Fields } from './record.ts';

/** A JSON object, and what of it JSON.parse would have settled in silence. */
export interface JsonObject {
  readonly fields: Fields;
  /** By name, why a value cannot be told: it is there twice and differs, or it would lose digits. */
  readonly doubts: ReadonlyMap<string, string>;
}

interface Member {
  readonly name: string;
  /** The value as it is written. */
  readonly written: string;
}

/**
 * Of equal names JSON.parse keeps the last, and whole numbers beyond 2^53 it rounds. Both are doubts here, for the names
 * asked about; two equal values are none, nor is a fraction that is not exactly a double.
 *
 * @param names fields that are used
 * @param exact those of them whose numbers are kept
 * @returns null when the text is JSON, but no object
 * @throws SyntaxError when it is no JSON
 */
export function parseJsonObject(
  text: string,
  names: ReadonlySet<string>,
  exact: ReadonlySet<string>,
): JsonObject | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const written = new Map<string, string>();
  const doubts = new Map<string, string>();
  for (const member of membersOf(text)) {
    if (!names.has(member.name)) continue;
    const field = `field ${JSON.stringify(member.name)}`;
    const before = written.get(member.name);
    if (before !== undefined && !sameValue(before, member.written))
      doubts.set(member.name, `${field} is there twice, with different values`);
    written.set(member.name, member.written);
  }
  for (const name of exact) {
    const lost = lostDigits(written.get(name) ?? '');
    if (lost !== null && !doubts.has(name))
      doubts.set(
        name,
        `field ${JSON.stringify(name)} holds ${lost}, which would lose digits (beyond 2^53): put it in quotes`,
      );
  }
  return { fields: value as Fields, doubts };
}

/** The first number in a value, or in a list of values, that a double does not hold; null if there is none. */
function lostDigits(written: string): string | null {
  const numbers =
    written[0] === '[' ? Array.from(elementsOf(written)).filter((element) => isNumber(element)) : [written];
  const lost = numbers.find((number) => isNumber(number) && losesDigits(number));
  return lost === undefined ? null : lost.slice(0, 60);
}

function isNumber(written: string): boolean {
  return /^[-\d]/.test(written);
}

function losesDigits(written: string): boolean {
  const value = Number(written);
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER || !Number.isFinite(value)) return false;
  return significant(written) !== significant(String(value));
}

/** Digits and their power of ten, equal for equal numbers however they are written. */
function significant(written: string): string {
  const [mantissa = '', exponent = '0'] = written.toLowerCase().split('e', 2);
  const [whole = '', fraction = ''] = mantissa.split('.', 2);
  const sign = whole.startsWith('-') ? '-' : '';
  const digits = `${whole.replace('-', '')}${fraction}`.replace(/^0+/, '');
  const end = lastNonZero(digits) + 1;
  return `${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

function lastNonZero(digits: string): number {
  let position = digits.length - 1;
  while (digits[position] === '0') position -= 1;
  return position;
}

function sameValue(a: string, b: string): boolean {
  return a === b || (a.startsWith('"') && b.startsWith('"') && JSON.parse(a) === JSON.parse(b));
}

/** The members of an object that is known to be JSON. Nesting costs no stack: it is only skipped. */
function* membersOf(text: string): Generator<Member> {
  let position = text.indexOf('{') + 1;
  for (;;) {
    const begin = text.indexOf('"', position);
    if (begin === -1) return;
    const end = stringEnd(text, begin);
    const quoted = text.slice(begin, end);
    const name = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
    const start = text.indexOf(':', end) + 1;
    position = valueEnd(text, start);
    yield { name, written: text.slice(start, position).trim() };
  }
}

function* elementsOf(list: string): Generator<string> {
  for (let position = 1; position < list.length; position += 1) {
    const end = valueEnd(list, position);
    yield list.slice(position, end).trim();
    position = end;
  }
}

/** The comma or bracket behind a value. */
function valueEnd(text: string, start: number): number {
  let depth = 0;
  for (let position = start; position < text.length; position += 1) {
    const character = text[position];
    if (character === '"') position = stringEnd(text, position) - 1;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth < 0 || (depth === 0 && character === ',')) return position;
  }
  return text.length;
}

/** Behind the quote that closes the string that begins here. */
function stringEnd(text: string, begin: number): number {
  for (let quote = text.indexOf('"', begin + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

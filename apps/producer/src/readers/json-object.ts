import type { Fields } from './look-up.ts';

/** A JSON object, and what of it JSON.parse would have settled in silence. */
export interface JsonObject {
  readonly fields: Fields;
  /** By path, why a value cannot be told: it is there twice, and differs. */
  readonly doubts: ReadonlyMap<string, string>;
  /** By path, a number that would lose digits as one. */
  readonly lossy: ReadonlyMap<string, string>;
  /** By path, values as they are written. */
  readonly written: ReadonlyMap<string, string>;
}

interface Member {
  readonly name: string;
  /** The value as it is written. */
  readonly written: string;
}

/**
 * Of equal names JSON.parse keeps the last, and whole numbers beyond 2^53 it rounds. Both are told here, for the paths
 * asked about; two equal values are no reason for doubt, nor is a fraction that is not exactly a double.
 *
 * @param paths names of fields that are used, and paths of names such as `author.name`
 * @returns null when the text is JSON, but not an object
 * @throws SyntaxError when it is not JSON
 */
export function parseJsonObject(text: string, paths: ReadonlySet<string>): JsonObject | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const [doubts, lossy, written] = [
    new Map<string, string>(),
    new Map<string, string>(),
    new Map<string, string>(),
  ];
  const members = membersInUse(text, paths);
  for (const path of paths) {
    const field = `field ${JSON.stringify(path)}`;
    const names = members.has(path) ? [path] : path.split('.');
    const found = [...valuesAt(members.get(names[0] ?? '') ?? [], names.slice(1))];
    if (found.includes(null)) doubts.set(path, `${field} is there twice, with different values`);
    const values = found.filter((one) => one !== null);
    const [only] = values;
    if (only !== undefined && values.length === 1) written.set(path, only);
    const lost = values.map(lossOf).find((loss) => loss !== null);
    if (lost !== undefined && lost !== null) lossy.set(path, lost);
  }
  return { fields: value as Fields, doubts, lossy, written };
}

/** Values of the members that paths begin with, by name. */
function membersInUse(text: string, paths: ReadonlySet<string>): Map<string, string[]> {
  const first = new Set([...paths].flatMap((path) => [path, path.split('.', 1)[0] ?? path]));
  const members = new Map<string, string[]>();
  for (const { name, written } of membersOf(text)) {
    if (!first.has(name)) continue;
    const before = members.get(name);
    if (before === undefined) members.set(name, [written]);
    else before.push(written);
  }
  return members;
}

/** What stands at the end of a path, once for each element of lists on its way; null for what is there twice and differs. */
function* valuesAt(values: readonly string[], [name, ...rest]: readonly string[]): Generator<string | null> {
  const [first] = values;
  const last = values.at(-1);
  if (first === undefined || last === undefined) return;
  if (values.some((value) => !sameValue(first, value))) yield null;
  if (name === undefined) yield last;
  else if (last.startsWith('{')) yield* valuesAt(membersNamed(last, name), rest);
  else if (last.startsWith('[')) {
    const elements = [...elementsOf(last)];
    const chosen = /^\d+$/.test(name) ? elements.slice(Number(name), Number(name) + 1) : elements;
    const left = /^\d+$/.test(name) ? rest : [name, ...rest];
    for (const element of chosen) yield* valuesAt([element], left);
  }
}

function membersNamed(object: string, name: string): string[] {
  return [...membersOf(object)].filter((member) => member.name === name).map(({ written }) => written);
}

/** Why a number, or a list of them, cannot be told as it is written; null when a double holds it. */
export function lossOf(written: string): string | null {
  const lost = lostDigits(written);
  return lost === null
    ? null
    : `it holds ${lost}, which would lose digits (beyond 2^53): put it in quotes, or keep it as :text`;
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
    const element = list.slice(position, end).trim();
    if (element !== '') yield element;
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

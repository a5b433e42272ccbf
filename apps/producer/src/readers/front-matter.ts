import { parse as parseToml, TomlDate } from 'smol-toml';
import { isMap, isScalar, parseDocument } from 'yaml';
import { lossOf, parseJsonObject } from './json-object.ts';

/** What stands at the top of a Markdown file for programs: a title, dates, tags. */
export interface FrontMatter extends FrontMatterFields {
  /** Where the text begins, in UTF-16 units from the start of the file. */
  readonly bodyStart: number;
  /** Why what looks like front matter is read as text; null for front matter. */
  readonly problem: string | null;
}

interface FrontMatterFields {
  /** A null-prototype object. Dates are texts as RFC 3339 has them. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** By path, numbers as they are written. */
  readonly written: ReadonlyMap<string, string>;
  /** By path, why a value cannot be told: it is there twice, and differs. */
  readonly doubts: ReadonlyMap<string, string>;
  /** By path, a number that would lose digits as one. */
  readonly lossy: ReadonlyMap<string, string>;
}

/** Front matter is a page at most; what closes later is not searched for. */
const MAX_CHARACTERS = 256 * 1024;
const NONE: ReadonlyMap<string, string> = new Map();
const NO_FIELDS: FrontMatterFields = Object.freeze({
  fields: Object.freeze(Object.create(null) as Record<string, unknown>),
  written: NONE,
  doubts: NONE,
  lossy: NONE,
});

/**
 * The front matter of a file, in the three forms that Hugo and others know: YAML between `---` lines (the last may be
 * `...`), TOML between `+++` lines, or a JSON object, on one line or more. Null when there is none: a block that does not hold named fields is
 * text, such as what stands between two thematic breaks. An empty block has no fields, and is not text. A block that names
 * fields and cannot be parsed is text as well, and has its `problem`.
 *
 * @param paths names of fields in use, and paths such as `author.name`; duplicates in JSON are told of these
 * @see https://gohugo.io/content-management/front-matter/
 */
export function parseFrontMatter(text: string, paths: ReadonlySet<string> = new Set()): FrontMatter | null {
  const start = text.startsWith('\uFEFF') ? 1 : 0;
  const head = text.slice(start, start + MAX_CHARACTERS);
  const found =
    delimited(head, '---', /^(?:---|\.\.\.)$/, yamlFields) ??
    delimited(head, '+++', /^\+\+\+$/, tomlFields) ??
    jsonBlock(head, paths);
  if (found === null || found.problem !== null) return found;
  return { ...found, bodyStart: found.bodyStart + start };
}

/** A block between lines; the opening one is the first of the file. */
function delimited(
  head: string,
  opening: string,
  closing: RegExp,
  parse: (block: string) => FrontMatterFields | null,
): FrontMatter | null {
  let at = 0;
  let blockStart: number | null = null;
  for (const line of head.match(/[^\r\n]*(?:\r\n|\n|\r|$)/g) ?? []) {
    const content = line.trimEnd();
    if (blockStart === null) {
      if (content !== opening) return null;
      blockStart = at + line.length;
    } else if (closing.test(content)) {
      const block = head.slice(blockStart, at).replaceAll(/\r\n?/g, '\n');
      const parsed = parse(block);
      if (parsed === null) return unparsed(block, opening);
      return { bodyStart: at + line.length, problem: null, ...parsed };
    }
    at += line.length;
    if (line === '') break;
  }
  return null;
}

/** Null for what names no fields, such as text between two thematic breaks. */
function unparsed(block: string, opening: string): FrontMatter | null {
  if (!/^["']?[\w-]+["']?[ \t]*[:=]/.test(block)) return null;
  const format = opening === '---' ? 'YAML' : 'TOML';
  return {
    bodyStart: 0,
    problem: `front matter that is not ${format} is read as text (often a colon, a tab or @ in a value without quotes)`,
    ...NO_FIELDS,
  };
}

function yamlFields(block: string): FrontMatterFields | null {
  if (block.trim() === '') return NO_FIELDS;
  // One document of YAML 1.2; `maxAliasCount` bounds what aliases may grow into.
  const document = parseDocument(block, { logLevel: 'silent', uniqueKeys: false });
  if (document.errors.length > 0) return null;
  try {
    const written = new Map<string, string>();
    addNumbers(document.contents, [], written);
    return named(document.toJS({ maxAliasCount: 100 }) as unknown, written);
  } catch {
    return null;
  }
}

/** Numbers of YAML as they are written, by path. */
function addNumbers(node: unknown, path: readonly string[], written: Map<string, string>): void {
  if (isScalar(node) && typeof node.value === 'number' && node.source !== undefined)
    written.set(path.join('.'), node.source);
  if (!isMap(node)) return;
  for (const { key, value } of node.items)
    if (isScalar(key)) addNumbers(value, [...path, String(key.value)], written);
}

function tomlFields(block: string): FrontMatterFields | null {
  if (block.trim() === '') return NO_FIELDS;
  try {
    const value = parseToml(block, { integersAsBigInt: 'asNeeded' });
    const written = new Map<string, string>();
    addBigIntegers(value, [], written);
    return named(value, written);
  } catch {
    return null;
  }
}

/** Whole numbers of TOML that a double does not hold, by path. */
function addBigIntegers(value: unknown, path: readonly string[], written: Map<string, string>): void {
  if (typeof value === 'bigint') written.set(path.join('.'), String(value));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  for (const [name, inner] of Object.entries(value)) addBigIntegers(inner, [...path, name], written);
}

/** A JSON object with fields at the start, behind which its last line ends. */
function jsonBlock(head: string, paths: ReadonlySet<string>): FrontMatter | null {
  const end = objectEnd(head);
  LINE_END.lastIndex = end ?? 0;
  const lineEnd = end === null ? null : LINE_END.exec(head);
  if (end === null || lineEnd === null) return null;
  try {
    const object = parseJsonObject(head.slice(0, end), paths);
    if (object === null || Object.keys(object.fields).length === 0) return null;
    const fields = plain(object.fields) as FrontMatterFields['fields'];
    return { bodyStart: end + lineEnd[0].length, problem: null, ...object, fields };
  } catch {
    return null;
  }
}

const LINE_END = /[ \t]*(?:\r\n|\n|\r|$)/y;
const STRING_OR_BRACE = /"(?:[^"\\\n\r]|\\.)*"|[{}]/g;

/** Behind the brace that closes the one at the start of a text; null when there is none. */
function objectEnd(text: string): number | null {
  if (!text.startsWith('{')) return null;
  let depth = 0;
  for (const { index, 0: found } of text.matchAll(STRING_OR_BRACE)) {
    depth += found === '{' ? 1 : found === '}' ? -1 : 0;
    if (depth === 0) return index + 1;
  }
  return null;
}

/** Null for what is not a mapping. */
function named(value: unknown, written: ReadonlyMap<string, string>): FrontMatterFields | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const losses = [...written].map(([path, number]) => [path, lossOf(number)] as const);
  const lossy = new Map(losses.filter((loss): loss is readonly [string, string] => loss[1] !== null));
  return { fields: plain(value) as FrontMatterFields['fields'], written, lossy, doubts: NONE };
}

/** Dates as texts, and whole numbers as doubles; objects without a prototype, so that a field named `__proto__` is only a field. */
function plain(value: unknown): unknown {
  if (value instanceof TomlDate || value instanceof Date) return value.toISOString();
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.create(null) as Record<string, unknown>;
  for (const [name, inner] of Object.entries(value)) fields[name] = plain(inner);
  return fields;
}

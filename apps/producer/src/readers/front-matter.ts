import { parse as parseToml, TomlDate } from 'smol-toml';
import { parseDocument } from 'yaml';

/** What stands at the top of a Markdown file for programs: a title, dates, tags. */
export interface FrontMatter {
  /** Where the text begins, in UTF-16 units from the start of the file. */
  readonly bodyStart: number;
  /** A null-prototype object. Dates are texts as RFC 3339 has them. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Front matter is a page at most; what closes later is not searched for. */
const MAX_CHARACTERS = 256 * 1024;
const NO_FIELDS: FrontMatter['fields'] = Object.freeze(Object.create(null) as Record<string, unknown>);

/**
 * The front matter of a file, in the three forms that Hugo and others know: YAML between `---` lines (the last may be
 * `...`), TOML between `+++` lines, or a JSON object. Null when there is none: a block that does not hold named fields is
 * text, such as what stands between two thematic breaks. An empty block has no fields, and is not text.
 * @see https://gohugo.io/content-management/front-matter/
 */
export function parseFrontMatter(text: string): FrontMatter | null {
  const start = text.startsWith('\uFEFF') ? 1 : 0;
  const head = text.slice(start, start + MAX_CHARACTERS);
  const found =
    delimited(head, '---', /^(?:---|\.\.\.)$/, yamlFields) ??
    delimited(head, '+++', /^\+\+\+$/, tomlFields) ??
    jsonBlock(head);
  return found === null ? null : { ...found, bodyStart: found.bodyStart + start };
}

/** A block between lines; the opening one is the first of the file. */
function delimited(
  head: string,
  opening: string,
  closing: RegExp,
  parse: (block: string) => FrontMatter['fields'] | null,
): FrontMatter | null {
  let at = 0;
  let blockStart: number | null = null;
  for (const line of head.match(/[^\r\n]*(?:\r\n|\n|\r|$)/g) ?? []) {
    const content = line.trimEnd();
    if (blockStart === null) {
      if (content !== opening) return null;
      blockStart = at + line.length;
    } else if (closing.test(content)) {
      const fields = parse(head.slice(blockStart, at).replaceAll(/\r\n?/g, '\n'));
      return fields === null ? null : { bodyStart: at + line.length, fields };
    }
    at += line.length;
    if (line === '') break;
  }
  return null;
}

function yamlFields(block: string): FrontMatter['fields'] | null {
  if (block.trim() === '') return NO_FIELDS;
  // One document of YAML 1.2; `maxAliasCount` bounds what aliases may grow into.
  const document = parseDocument(block, { logLevel: 'silent', uniqueKeys: false });
  if (document.errors.length > 0) return null;
  try {
    return fieldsOf(document.toJS({ maxAliasCount: 100 }) as unknown);
  } catch {
    return null;
  }
}

function tomlFields(block: string): FrontMatter['fields'] | null {
  if (block.trim() === '') return NO_FIELDS;
  try {
    return fieldsOf(parseToml(block));
  } catch {
    return null;
  }
}

/** A JSON object whose braces stand at the start of the first line and alone on the last. */
function jsonBlock(head: string): FrontMatter | null {
  if (!/^\{[ \t]*\r?\n/.test(head)) return null;
  const closing = /(?:\r\n|\n|\r)\}[ \t]*(?:\r\n|\n|\r|$)/g;
  for (let end = closing.exec(head); end !== null; end = closing.exec(head)) {
    const bodyStart = end.index + end[0].length;
    try {
      const fields = fieldsOf(JSON.parse(head.slice(0, bodyStart)) as unknown);
      if (fields !== null) return { bodyStart, fields };
    } catch {
      // The brace may close an inner object; only a few can stand at the start of a line.
    }
    if (closing.lastIndex - end.index > 0) closing.lastIndex = end.index + 1;
  }
  return null;
}

/** Null for what is not a mapping. */
function fieldsOf(value: unknown): FrontMatter['fields'] | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return withTextDates(value) as FrontMatter['fields'];
}

/** Dates of TOML as texts; objects without a prototype, so that a field named `__proto__` is only a field. */
function withTextDates(value: unknown): unknown {
  if (value instanceof TomlDate) return value.toISOString();
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(withTextDates);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.create(null) as Record<string, unknown>;
  for (const [name, inner] of Object.entries(value)) fields[name] = withTextDates(inner);
  return fields;
}

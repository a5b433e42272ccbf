const [LF, CR] = [0x0a, 0x0d];
/** What letters behind an escape stand for in a field without quotes, in PostgreSQL's COPY and in MySQL. */
const MEANINGS = new Map(
  Object.entries({ '0': '\0', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', Z: '\x1a' }).map(
    ([letter, meaning]) => [letter.charCodeAt(0), meaning.charCodeAt(0)],
  ),
);
const NULL_LETTER = 'N'.charCodeAt(0);

/** A dialect that has escapes, and how one field of it is written. */
interface FieldForm {
  readonly delimiter: number;
  readonly quote: number | null;
  readonly escape: number;
  readonly isQuoted: boolean;
}

/**
 * A field without its escapes, and without doubled quotes if it stood in quotes. A field without quotes that is `\N` alone
 * is missing in the database: it is empty here. In quotes an escape has a meaning only before what would otherwise have
 * one, so that `"C:\new"` stays a path.
 * @see https://www.postgresql.org/docs/current/sql-copy.html
 * @see https://dev.mysql.com/doc/refman/9.0/en/load-data.html
 */
export function unescaped(bytes: Buffer, form: FieldForm): Buffer {
  const { escape, quote, isQuoted } = form;
  if (!bytes.includes(escape) && (!isQuoted || quote === null || !bytes.includes(quote))) return bytes;
  if (!isQuoted && bytes.length === 2 && bytes[0] === escape && bytes[1] === NULL_LETTER)
    return bytes.subarray(0, 0);
  const result = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let position = 0; position < bytes.length; position += 1) {
    const byte = bytes[position] ?? 0;
    const next = bytes[position + 1];
    const meant = next === undefined ? null : meaningOf(byte, next, form);
    if (meant !== null) position += 1;
    result[length++] = meant ?? byte;
  }
  return result.subarray(0, length);
}

/** What two bytes stand for together; null when each stands for itself. */
function meaningOf(byte: number, next: number, form: FieldForm): number | null {
  const { delimiter, quote, escape, isQuoted } = form;
  if (byte === escape) {
    if (!isQuoted) return MEANINGS.get(next) ?? next;
    return [delimiter, quote, escape, LF, CR].includes(next) ? next : null;
  }
  return isQuoted && byte === quote && next === quote ? next : null;
}

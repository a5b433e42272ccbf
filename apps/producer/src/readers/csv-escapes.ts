/** What letters behind an escape stand for, in PostgreSQL's COPY and in MySQL. Others stand for themselves. */
const MEANINGS = new Map(
  Object.entries({ '0': '\0', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', Z: '\x1a' }).map(
    ([letter, meaning]) => [letter.charCodeAt(0), meaning.charCodeAt(0)],
  ),
);
const NULL_LETTER = 'N'.charCodeAt(0);

/**
 * A field without its escapes, and without doubled quotes if it stood in quotes. A field that is `\N` alone is missing in
 * the database: it is empty here.
 * @param quote null for a field without quotes
 * @see https://www.postgresql.org/docs/current/sql-copy.html
 * @see https://dev.mysql.com/doc/refman/9.0/en/load-data.html
 */
export function unescaped(
  bytes: Buffer,
  { escape, quote }: { readonly escape: number; readonly quote: number | null },
): Buffer {
  if (!bytes.includes(escape) && (quote === null || !bytes.includes(quote))) return bytes;
  if (quote === null && bytes.length === 2 && bytes[0] === escape && bytes[1] === NULL_LETTER)
    return bytes.subarray(0, 0);
  const result = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let position = 0; position < bytes.length; position += 1) {
    const byte = bytes[position] ?? 0;
    const next = bytes[position + 1];
    const isPair = next !== undefined && (byte === escape || (byte === quote && next === quote));
    if (isPair) position += 1;
    result[length++] = isPair ? (byte === escape ? (MEANINGS.get(next) ?? next) : next) : byte;
  }
  return result.subarray(0, length);
}

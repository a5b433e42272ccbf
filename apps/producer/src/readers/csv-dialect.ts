import { ESCAPE, hasBlanksBeforeQuotes, hasEscapes, hasQuotes } from './csv-evidence.ts';
import { fieldsOf, firstRows, type CsvDialect } from './csv-fields.ts';
import type { CsvOptions } from './read-item.ts';

export interface FoundDialect extends CsvDialect {
  /** Bytes of Excel's `sep=;` line, which is not a row; 0 without one. */
  readonly skippedBytes: number;
}

const [TAB, COMMA, QUOTE] = [0x09, 0x2c, 0x22];
const CANDIDATES = [COMMA, TAB, 0x3b, 0x7c];
const NAMES: Readonly<Record<string, string>> = {
  comma: ',',
  tab: '\t',
  '\\t': '\t',
  semicolon: ';',
  pipe: '|',
};
const ROWS_LOOKED_AT = 50;

/** @throws RangeError for what cannot stand between columns */
export function parseDelimiter(written: string): string {
  const character = NAMES[written] ?? written;
  if (/^[\t -~]$/.test(character) && !/[\w"]/.test(character)) return character;
  throw new RangeError(
    `expected one character of ASCII such as ; or |, or "tab", got ${JSON.stringify(written)}`,
  );
}

/** Of what stands around fields, or before a character that is one of a field's. @returns null for `none` @throws RangeError */
export function parseQuote(written: string | null): string | null {
  if (written === null || written === 'none') return null;
  if (/^[!-~]$/.test(written) && !/[\w,;]/.test(written)) return written;
  throw new RangeError(`expected one character such as " or ', or "none", got ${JSON.stringify(written)}`);
}

/**
 * What is not said is found out. The delimiter: Excel's `sep=` line, else the one by which the header has the columns in
 * use, else the one that gives most rows as many columns as the first; in doubt the one of the file's ending. Quotes: `"`
 * in CSV, and in TSV that has them as CSV does. Escapes: a backslash where a field is `\N`, as databases write it, or where
 * `\"` makes no sense otherwise. Blanks before quotes are no part of a field.
 *
 * @param head the beginning of the file, without a byte order mark
 * @param usual the delimiter that the file's ending stands for
 * @param wanted names of columns, of which a header has at least one of each group
 */
export function findDialect(
  head: Buffer,
  usual: ',' | '\t',
  { csv, wanted }: { readonly csv: CsvOptions; readonly wanted: readonly (readonly string[])[] },
): FoundDialect {
  const sep = /^"?sep=([^\w\r\n"])"?(?:\r\n|\n|\r|$)/i.exec(head.toString('latin1', 0, 16));
  const skippedBytes = sep?.[0].length ?? 0;
  const rows = head.subarray(skippedBytes);
  const own = usual === ',' ? COMMA : TAB;
  const quoteWith = (delimiter: number) => {
    if (csv.quote !== undefined) return csv.quote === null ? null : csv.quote.charCodeAt(0);
    return own === TAB && delimiter === TAB ? null : QUOTE;
  };
  const said = csv.delimiter ?? sep?.[1];
  const delimiter = said?.charCodeAt(0) ?? likeliest(rows, own, quoteWith, csv.header ? wanted : []);
  const plain = { delimiter, quote: quoteWith(delimiter), escape: null, skipsBlanks: false };
  const isEscaped = csv.escape === undefined ? hasEscapes(rows, plain) : csv.escape !== null;
  const escape = isEscaped ? (csv.escape?.charCodeAt(0) ?? ESCAPE) : null;
  const isQuoted = csv.quote === undefined && plain.quote === null && hasQuotes(rows, { ...plain, escape });
  const found = { ...plain, escape, quote: isQuoted ? QUOTE : plain.quote };
  return { ...found, skipsBlanks: hasBlanksBeforeQuotes(rows, found), skippedBytes };
}

/** What stands between columns, for people. */
export function between({ delimiter }: Pick<CsvDialect, 'delimiter'>): string {
  return delimiter === TAB ? 'a tab' : JSON.stringify(String.fromCharCode(delimiter));
}

/** For people; null when it is what the ending stands for. */
export function describeDialect(
  { delimiter, quote, escape, skipsBlanks, skippedBytes }: FoundDialect,
  usual: ',' | '\t',
): string | null {
  const isUsual = delimiter === usual.charCodeAt(0) && quote === (usual === ',' ? QUOTE : null);
  if (isUsual && escape === null && !skipsBlanks && skippedBytes === 0) return null;
  const around = quote === null ? 'no quotes' : `quotes ${String.fromCharCode(quote)}`;
  const escapes = escape === null ? '' : `, escapes ${String.fromCharCode(escape)}`;
  const blanks = skipsBlanks ? ', without blanks before fields' : '';
  return `CSV read with ${delimiter === TAB ? 'tabs' : between({ delimiter })} between columns and ${around}${escapes}${blanks}${skippedBytes > 0 ? ', as its sep= line says' : ''}`;
}

function likeliest(
  rows: Buffer,
  own: number,
  quoteWith: (delimiter: number) => number | null,
  wanted: readonly (readonly string[])[],
): number {
  let best = { delimiter: own, score: 0 };
  for (const delimiter of [own, ...CANDIDATES.filter((one) => one !== own)]) {
    const dialect = { delimiter, quote: quoteWith(delimiter), escape: null, skipsBlanks: true };
    const score = scoreOf(rows, dialect, wanted);
    if (score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
}

/** More for a header that has what is wanted than for any number of rows of equal length. */
function scoreOf(rows: Buffer, dialect: CsvDialect, wanted: readonly (readonly string[])[]): number {
  const [header, ...others] = firstRows(rows, dialect, ROWS_LOOKED_AT);
  if (header === undefined) return 0;
  const names = Array.from(fieldsOf(header, dialect), (name) => name.toString('utf8').trim());
  const isThere = wanted.length > 0 && wanted.every((group) => group.some((name) => names.includes(name)));
  const counts = others.map((row) => [...fieldsOf(row, dialect)].length);
  const equal = counts.filter((count) => count === names.length).length;
  const share = counts.length === 0 ? 1 : equal / counts.length;
  return (isThere ? 10 : 0) + (names.length > 1 ? share : 0);
}

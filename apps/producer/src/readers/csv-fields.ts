import { unescaped } from './csv-escapes.ts';

/** How one file of CSV is written. */
export interface CsvDialect {
  /** A byte. */
  readonly delimiter: number;
  /** A byte; null when quotes mean nothing. */
  readonly quote: number | null;
  /** A byte that takes its meaning from the one behind it; null when there is none. */
  readonly escape: number | null;
  /** Whether blanks before a field are no part of it, as in `1, "a, b"`. */
  readonly skipsBlanks: boolean;
}

const [TAB, LF, CR, BLANK] = [0x09, 0x0a, 0x0d, 0x20];

/** The fields of a row; a quote within a field that does not begin with one is a character like any other. */
export function* fieldsOf(row: Buffer, dialect: CsvDialect): Generator<Buffer> {
  const { quote, escape } = dialect;
  for (let start = 0; start <= row.length;) {
    start = startOfField(row, start, dialect);
    const isQuoted = quote !== null && row[start] === quote;
    const end = isQuoted ? closingQuote(row, start + 1, dialect) : start;
    const stop = endOfField(row, end, dialect);
    const bytes = isQuoted ? row.subarray(start + 1, end) : row.subarray(start, stop);
    if (escape !== null) yield unescaped(bytes, { ...dialect, escape, isQuoted });
    else yield isQuoted ? unquote(bytes, quote) : bytes;
    start = stop + 1;
  }
}

/** What stands in quotes in a row, as it is written, and whether its field ends behind them. */
export function* quotedFields(
  row: Buffer,
  dialect: CsvDialect,
): Generator<{ readonly bytes: Buffer; readonly isClosed: boolean }> {
  for (let start = 0; start <= row.length;) {
    start = startOfField(row, start, dialect);
    const isQuoted = row[start] === dialect.quote;
    const end = isQuoted ? closingQuote(row, start + 1, dialect) : start;
    const stop = endOfField(row, end, dialect);
    if (isQuoted) {
      const isClosed = end < row.length && isBlank(row.subarray(end + 1, stop));
      yield { bytes: row.subarray(start + 1, end), isClosed };
    }
    start = stop + 1;
  }
}

function startOfField(row: Buffer, from: number, { skipsBlanks }: CsvDialect): number {
  let start = from;
  if (skipsBlanks) while (row[start] === BLANK) start += 1;
  return start;
}

/** Whether there is nothing but blanks, tabs and line breaks. */
export function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === BLANK || byte === TAB || byte === LF || byte === CR);
}

function endOfField(row: Buffer, from: number, { delimiter, escape }: CsvDialect): number {
  let found = row.indexOf(delimiter, from);
  if (escape !== null)
    while (found !== -1 && isEscaped(row, from, found, escape)) found = row.indexOf(delimiter, found + 1);
  return found === -1 ? row.length : found;
}

function closingQuote(row: Buffer, from: number, { quote, escape }: CsvDialect): number {
  if (quote === null) return row.length;
  let found = row.indexOf(quote, from);
  while (found !== -1) {
    if (escape !== null && isEscaped(row, from, found, escape)) found = row.indexOf(quote, found + 1);
    else if (row[found + 1] === quote) found = row.indexOf(quote, found + 2);
    else return found;
  }
  return row.length;
}

/** Whether an odd number of escapes stands right before a byte. */
function isEscaped(row: Buffer, from: number, position: number, escape: number): boolean {
  let first = position;
  while (first > from && row[first - 1] === escape) first -= 1;
  return (position - first) % 2 === 1;
}

/** Keeps every other one of adjacent quotes. */
function unquote(bytes: Buffer, quote: number): Buffer {
  if (!bytes.includes(quote)) return bytes;
  const result = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let position = 0; position < bytes.length; position += 1) {
    const byte = bytes[position] ?? 0;
    result[length++] = byte;
    if (byte === quote) position += 1;
  }
  return result.subarray(0, length);
}

/** The first rows of a sample that is cut off somewhere: without its last one, unless it is the only one. */
export function firstRows(sample: Buffer, dialect: CsvDialect, most: number): Buffer[] {
  const rows: Buffer[] = [];
  for (let start = 0; start < sample.length && rows.length < most;) {
    const end = rowEnd(sample, start, dialect);
    if (end === -1 && rows.length > 0) break;
    const row = sample.subarray(start, end === -1 ? sample.length : end);
    if (row.length > 0) rows.push(row);
    start = end === -1 ? sample.length : end + 1;
  }
  return rows;
}

/** Where the row that begins here ends, or -1. */
export function rowEnd(bytes: Buffer, start: number, dialect: CsvDialect): number {
  const { delimiter, quote, escape, skipsBlanks } = dialect;
  let isFieldStart = true;
  for (let position = start; position < bytes.length; position += 1) {
    const byte = bytes[position] ?? 0;
    if (byte === LF || byte === CR) return position;
    if (isFieldStart && byte === quote) {
      position = closingQuote(bytes, position + 1, dialect);
      if (position >= bytes.length) return -1;
    } else if (byte === escape) position += 1;
    isFieldStart = byte === delimiter || (isFieldStart && skipsBlanks && byte === BLANK);
  }
  return -1;
}

/** Behind the line break that follows, or the end. */
export function nextLine(bytes: Buffer, from: number): number {
  for (let position = from; position < bytes.length; position += 1) {
    const byte = bytes[position];
    if (byte === LF) return position + 1;
    if (byte === CR) return bytes[position + 1] === LF ? position + 2 : position + 1;
  }
  return bytes.length;
}

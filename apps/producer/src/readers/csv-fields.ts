/** How one file of CSV is written. */
export interface CsvDialect {
  /** A byte. */
  readonly delimiter: number;
  /** A byte; null when quotes mean nothing. */
  readonly quote: number | null;
}

const [LF, CR] = [0x0a, 0x0d];

/** The fields of a row; a quote within a field that does not begin with one is a character like any other. */
export function* fieldsOf(row: Buffer, { delimiter, quote }: CsvDialect): Generator<Buffer> {
  for (let start = 0; start <= row.length;) {
    const isQuoted = quote !== null && row[start] === quote;
    const end = isQuoted ? closingQuote(row, start + 1, quote) : start;
    const next = row.indexOf(delimiter, end);
    const stop = next === -1 ? row.length : next;
    yield isQuoted ? unquote(row.subarray(start + 1, end), quote) : row.subarray(start, stop);
    start = stop + 1;
  }
}

function closingQuote(row: Buffer, from: number, quote: number): number {
  let found = row.indexOf(quote, from);
  while (found !== -1 && row[found + 1] === quote) found = row.indexOf(quote, found + 2);
  return found === -1 ? row.length : found;
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
export function rowEnd(bytes: Buffer, start: number, { delimiter, quote }: CsvDialect): number {
  let isFieldStart = true;
  for (let position = start; position < bytes.length; position += 1) {
    const byte = bytes[position] ?? 0;
    if (byte === LF || byte === CR) return position;
    if (isFieldStart && byte === quote) {
      position = closingQuote(bytes, position + 1, quote);
      if (position >= bytes.length) return -1;
    }
    isFieldStart = byte === delimiter;
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

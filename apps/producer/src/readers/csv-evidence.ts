import { fieldsOf, firstRows, quotedFields, type CsvDialect } from './csv-fields.ts';

const ROWS_LOOKED_AT = 200;
const [LF, CR, QUOTE, BACKSLASH] = [0x0a, 0x0d, 0x22, 0x5c];
const ESCAPED_NULL = Buffer.from(String.raw`\N`);
const ESCAPED_QUOTE = Buffer.from(String.raw`\"`);

/**
 * Whether a sample of TSV has the quotes of CSV, as pandas and Excel write it. Every field that begins with a quote must be
 * closed at its end, and one of them must hold doubled quotes, or rows must have too few columns without quotes: `"Hello"`
 * alone may well be a title in quotes.
 */
export function hasQuotes(sample: Buffer, dialect: CsvDialect): boolean {
  const quoted = { ...dialect, quote: QUOTE };
  const rows = firstRows(sample, quoted, ROWS_LOOKED_AT);
  const fields = fieldsInQuotes(rows, quoted);
  if (fields.length === 0 || !isSound(rows, quoted)) return false;
  const spans = fields.some(({ bytes }) => [dialect.delimiter, LF, CR].some((one) => bytes.includes(one)));
  const plain = { ...dialect, quote: null };
  return (
    fields.some(({ bytes }) => bytes.includes(QUOTE)) ||
    (spans && !areEven(firstRows(sample, plain, ROWS_LOOKED_AT), plain))
  );
}

/**
 * Whether a sample has backslashes as escapes: a field that is missing is `\N`, as PostgreSQL's COPY and MySQL write it, or
 * quotes within quotes are `\"`, as Spark and Python write them, and make no sense otherwise.
 */
export function hasEscapes(sample: Buffer, dialect: CsvDialect): boolean {
  const rows = firstRows(sample, dialect, ROWS_LOOKED_AT);
  if (rows.some((row) => fieldsOf(row, dialect).some((field) => field.equals(ESCAPED_NULL)))) return true;
  if (!sample.includes(ESCAPED_QUOTE)) return false;
  const quoted = { ...dialect, quote: QUOTE };
  return isBetter(sample, { ...quoted, escape: BACKSLASH }, quoted);
}

/** Whether blanks stand before quotes that would mean nothing behind them: `1, "a, b"`. */
export function hasBlanksBeforeQuotes(sample: Buffer, dialect: CsvDialect): boolean {
  if (dialect.quote === null) return false;
  const skipping = { ...dialect, skipsBlanks: true };
  const rows = firstRows(sample, skipping, ROWS_LOOKED_AT);
  const count = fieldsInQuotes(rows, skipping).length;
  return count > fieldsInQuotes(rows, dialect).length && isSound(rows, skipping);
}

export const ESCAPE = BACKSLASH;

/** Whether a sample makes sense in one dialect, and in the other does not, or has fewer rows there. */
function isBetter(sample: Buffer, dialect: CsvDialect, than: CsvDialect): boolean {
  const rows = firstRows(sample, dialect, ROWS_LOOKED_AT);
  if (!isSound(rows, dialect)) return false;
  const others = firstRows(sample, than, ROWS_LOOKED_AT);
  return others.length < rows.length || !isSound(others, than);
}

/** Whether every quote is closed at the end of its field, and all rows have as many columns. */
function isSound(rows: readonly Buffer[], dialect: CsvDialect): boolean {
  return fieldsInQuotes(rows, dialect).every(({ isClosed }) => isClosed) && areEven(rows, dialect);
}

function fieldsInQuotes(rows: readonly Buffer[], dialect: CsvDialect) {
  return rows.flatMap((row) => [...quotedFields(row, dialect)]);
}

function areEven(rows: readonly Buffer[], dialect: CsvDialect): boolean {
  const counts = new Set(rows.map((row) => [...fieldsOf(row, dialect)].length));
  return counts.size === 1;
}

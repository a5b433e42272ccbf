import { fieldsOf, firstRows, quotedFields, type CsvDialect } from './csv-fields.ts';

const ROWS_LOOKED_AT = 200;
const [LF, CR, QUOTE, BACKSLASH] = [0x0a, 0x0d, 0x22, 0x5c];
const ESCAPED_NULL = Buffer.from(String.raw`\N`);

/**
 * Whether a sample of TSV has the quotes of CSV, as pandas and Excel write it. Every field that begins with a quote must be
 * closed at its end, and one of them must hold doubled quotes, or rows must have too few columns without quotes: `"Hello"`
 * alone may well be a title in quotes.
 */
export function hasQuotes(sample: Buffer, dialect: CsvDialect): boolean {
  const quoted = { ...dialect, quote: QUOTE };
  const rows = firstRows(sample, quoted, ROWS_LOOKED_AT);
  const fields = rows.flatMap((row) => [...quotedFields(row, quoted)]);
  if (fields.length === 0 || !fields.every(({ isClosed }) => isClosed) || !areEven(rows, quoted))
    return false;
  const spans = fields.some(({ bytes }) => [dialect.delimiter, LF, CR].some((one) => bytes.includes(one)));
  const plain = { ...dialect, quote: null };
  return (
    fields.some(({ bytes }) => bytes.includes(QUOTE)) ||
    (spans && !areEven(firstRows(sample, plain, ROWS_LOOKED_AT), plain))
  );
}

/** Whether a sample has backslashes as PostgreSQL's COPY and MySQL write them: a field that is missing is `\N`. */
export function hasEscapes(sample: Buffer, dialect: CsvDialect): boolean {
  return firstRows(sample, dialect, ROWS_LOOKED_AT).some((row) =>
    fieldsOf(row, dialect).some((field) => field.equals(ESCAPED_NULL)),
  );
}

export const ESCAPE = BACKSLASH;

function areEven(rows: readonly Buffer[], dialect: CsvDialect): boolean {
  const counts = new Set(rows.map((row) => [...fieldsOf(row, dialect)].length));
  return counts.size === 1;
}

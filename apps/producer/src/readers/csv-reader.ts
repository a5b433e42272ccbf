import { cutText, messageOf, type Origin } from '@embedline/core';
import { MARKS_LEFT_OUT, skipMarks } from './byte-order-marks.ts';
import { between, describeDialect, findDialect } from './csv-dialect.ts';
import { fieldsOf, isBlank, type CsvDialect } from './csv-fields.ts';
import { decodeUtf8 } from './decode-text.ts';
import { firstNames } from './look-up.ts';
import { peek } from './peek.ts';
import { quoteRemedy } from './quote-remedy.ts';
import { reject, type ReaderOptions, type ReadItem } from './read-item.ts';
import { columnsInUse, documentOf } from './record.ts';
import { splitRows, type Row } from './split-rows.ts';

const SAMPLE_BYTES = 16 * 1024;

type WrittenRow = Exclude<Row, { readonly type: 'mark' }>;

interface Table {
  readonly file: string;
  readonly dialect: CsvDialect;
  /** Null for a file whose first row is a record already. */
  header: readonly string[] | null;
}

/**
 * CSV or TSV with a header row. How it is written is found out where it is not said. A row that cannot be read costs that
 * row. One that is shorter than the header has nothing in its last columns, which is told; one that is longer is not
 * read, unless what is too much is blank. All values are texts.
 *
 * @param usual the delimiter that the file's ending stands for
 * @throws RangeError when the header is wrong, or a quote is never closed and the next row cannot be told
 */
export async function* readCsv(
  source: AsyncIterable<Buffer>,
  file: string,
  usual: ',' | '\t',
  options: ReaderOptions,
): AsyncGenerator<ReadItem> {
  const { head, blocks } = await peek(source, SAMPLE_BYTES);
  const markBytes = skipMarks(head, 0);
  const sample = head.subarray(markBytes, SAMPLE_BYTES);
  const found = findDialect(sample, usual, { csv: options.csv, wanted: wantedColumns(options) });
  const what = describeDialect(found, usual);
  if (what !== null) yield { type: 'note', about: 'form', what, origin: { file } };
  const table: Table = { file, dialect: found, header: null };
  const skipped = found.skippedBytes === 0 ? 0 : markBytes + found.skippedBytes;
  const firstLine = skipped === 0 ? 0 : 1;
  let hadMark = false;
  for await (const row of splitRows(without(blocks, skipped), found, options.limits.maxLineBytes)) {
    if (row.type === 'mark') hadMark = true;
    else yield* readRow({ ...row, line: row.line + firstLine }, table, options);
  }
  if (hadMark) yield { type: 'note', about: 'form', what: MARKS_LEFT_OUT, origin: { file } };
}

/** Groups of columns, of which a table has one each. */
function wantedColumns({ idFrom, idFields, textFields }: ReaderOptions): string[][] {
  return [...(idFrom === 'field' ? idFields.map(firstNames) : []), textFields.flatMap(firstNames)];
}

function* readRow(row: WrittenRow, table: Table, options: ReaderOptions): Generator<ReadItem> {
  const origin: Origin = { file: table.file, line: row.line };
  const reason = reasonOf(row, table, options);
  if (row.type === 'row' && table.header === null && options.csv.header)
    table.header = readHeader(row.bytes, table, options);
  else if (row.type === 'row') yield* readRecord(row.bytes, origin, table, options);
  else if (table.header === null && options.csv.header)
    throw new RangeError(`the header cannot be read: ${reason}`);
  else
    yield reject(origin, {
      reason,
      ...(row.type === 'bad' ? { excerpt: row.bytes.toString('utf8', 0, 200) } : {}),
    });
}

function reasonOf(row: WrittenRow, { dialect }: Table, { limits: { maxLineBytes } }: ReaderOptions): string {
  if (row.type === 'bad')
    return `the row's quotes are wrong: ${row.reason}${quoteRemedy(row.bytes, dialect)}`;
  if (row.type === 'row') return '';
  return `the row is ${row.length} bytes long, more than the ${maxLineBytes} allowed (--max-line-bytes)`;
}

/** @throws RangeError when it cannot be decoded, lacks what is in use, or a name in use stands for two columns */
function readHeader(bytes: Buffer, { dialect }: Table, options: ReaderOptions): string[] {
  let names: string[];
  try {
    names = Array.from(fieldsOf(bytes, dialect), (name) => decodeUtf8(name, options.encoding).trim());
  } catch (cause) {
    throw new RangeError(`the header cannot be read: ${messageOf(cause)}`, { cause });
  }
  for (const name of columnsInUse(options)) {
    if (names.indexOf(name) !== names.lastIndexOf(name))
      throw new RangeError(
        `the header has two columns ${JSON.stringify(name)}: which is meant? Rename one of them`,
      );
  }
  const missing = wantedColumns(options).find((group) => !group.some((name) => names.includes(name)));
  if (missing === undefined) return names;
  const listed = names
    .slice(0, 20)
    .map((name) => JSON.stringify(cutText(name, 60)))
    .join(', ');
  throw new RangeError(
    `the header has no column ${missing.map((name) => JSON.stringify(name)).join(' or ')}; it has ${listed}. Name yours with ` +
      `--id-field and --text-field, or say --no-header and name columns by number, or --delimiter if these are not the columns`,
  );
}

function* readRecord(
  bytes: Buffer,
  origin: Origin,
  { dialect, header }: Table,
  options: ReaderOptions,
): Generator<ReadItem> {
  const fields = [...fieldsOf(bytes, dialect)];
  // Spreadsheets write rows of nothing but commas below their last one.
  if (fields.every(isBlank)) return;
  const excerpt = bytes.toString('utf8', 0, 200);
  const columns = header?.length ?? fields.length;
  const isShort = fields.length < columns;
  const isLong = !fields.slice(columns).every(isBlank);
  if (isLong || (isShort && options.strictMetadata)) {
    const remedy = isLong
      ? `if a field holds ${between(dialect)}, it must be in quotes; see --quote and --escape`
      : '--strict-metadata';
    const reason = `the row has ${fields.length} columns, the header ${columns} (${remedy})`;
    yield reject(origin, { reason, excerpt });
    return;
  }
  const names = header ?? fields.map((_, index) => String(index + 1));
  const record = Object.create(null) as Record<string, unknown>;
  for (const [index, field] of fields.slice(0, columns).entries()) {
    const name = names[index] ?? '';
    try {
      record[name] = decodeUtf8(field, options.encoding);
    } catch (error) {
      yield reject(origin, { reason: `column ${JSON.stringify(name)}: ${messageOf(error)}`, excerpt });
      return;
    }
  }
  if (isShort) yield { type: 'note', about: 'short-row', origin };
  yield* documentOf({ fields: record, origin, format: 'csv' }, options);
}

async function* without(blocks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let skip = bytes;
  for await (const block of blocks) {
    const skipped = Math.min(skip, block.length);
    skip -= skipped;
    if (skipped < block.length) yield block.subarray(skipped);
  }
}

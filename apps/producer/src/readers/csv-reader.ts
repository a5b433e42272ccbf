import { Readable } from 'node:stream';
import { messageOf, type Origin } from '@embedline/core';
import { CsvError, parse, type Info } from 'csv-parse';
import { decodeUtf8 } from './decode-text.ts';
import { reject, type ReadItem, type RecordOptions } from './read-item.ts';
import { documentOf } from './record.ts';

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

interface ParsedRow {
  readonly record: readonly Buffer[];
  readonly info: Info;
}

/**
 * CSV or TSV with a header row (RFC 4180: quotes, embedded newlines). A row of another length than the header costs
 * that row. A metadata value that is a number in its plainest form (`2009`, `-1.5`) is read as one; ids and texts stay
 * texts.
 */
export async function* readCsv(
  blocks: AsyncIterable<Buffer>,
  file: string,
  delimiter: ',' | '\t',
  options: RecordOptions,
): AsyncGenerator<ReadItem> {
  const parser = parse({
    delimiter,
    encoding: null,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: options.limits.maxLineBytes,
  });
  const source = Readable.from(withoutByteOrderMark(blocks), { objectMode: true });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  let header: string[] | null = null;
  try {
    for await (const row of parser as AsyncIterable<ParsedRow>) {
      const origin: Origin = { file, line: row.info.lines };
      if (header === null) header = row.record.map((name) => name.toString('utf8').trim());
      else yield readRow(row.record, header, origin, options);
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = Number((error as { lines?: unknown }).lines);
    throw new RangeError(`not CSV from line ${line} on: ${messageOf(error)}`, { cause: error });
  } finally {
    source.destroy();
  }
}

/** csv-parse would take one off, but then decodes by itself, and silently. */
async function* withoutByteOrderMark(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let first = true;
  for await (const block of blocks) {
    yield first && block.subarray(0, 3).equals(BYTE_ORDER_MARK) ? block.subarray(3) : block;
    first = false;
  }
}

function readRow(
  row: readonly Buffer[],
  header: readonly string[],
  origin: Origin,
  options: RecordOptions,
): ReadItem {
  if (row.length !== header.length) {
    return reject(origin, { reason: `the row has ${row.length} columns, the header ${header.length}` });
  }
  const fields = Object.create(null) as Record<string, unknown>;
  const texts = new Set([options.idField, options.textField, options.titleField]);
  try {
    for (const [index, name] of header.entries()) {
      const value = decodeUtf8(row[index] ?? Buffer.alloc(0));
      fields[name] = texts.has(name) ? value : plainNumber(value);
    }
  } catch (error) {
    return reject(origin, { reason: messageOf(error) });
  }
  return documentOf(fields, origin, 'csv', options);
}

function plainNumber(value: string): string | number {
  const number = Number(value);
  return value !== '' && String(number) === value && Number.isFinite(number) ? number : value;
}

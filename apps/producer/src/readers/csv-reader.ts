import { messageOf, type Origin } from '@embedline/core';
import { decodeUtf8 } from './decode-text.ts';
import { reject, type ReadItem, type RecordOptions } from './read-item.ts';
import { documentOf, namesInUse } from './record.ts';
import { fieldsOf, splitRows, type Delimiter } from './split-rows.ts';

interface CsvOptions extends RecordOptions {
  readonly delimiter: Delimiter;
}

/**
 * CSV or TSV with a header row (RFC 4180: quotes, embedded newlines). A row of another length than the header costs
 * that row. A metadata value that is a number in its plainest form (`2009`, `-1.5`) is read as one; ids and texts stay
 * texts, and so does a number that would lose digits.
 *
 * @throws RangeError when the header is wrong, or the quotes are: then the rows from there on are not known
 */
export async function* readCsv(
  blocks: AsyncIterable<Buffer>,
  file: string,
  delimiter: ',' | '\t',
  options: RecordOptions,
): AsyncGenerator<ReadItem> {
  const csv: CsvOptions = { ...options, delimiter: delimiter === ',' ? 0x2c : 0x09 };
  const { maxLineBytes } = options.limits;
  let header: string[] | null = null;
  for await (const row of splitRows(blocks, csv.delimiter, maxLineBytes)) {
    const origin: Origin = { file, line: row.line };
    if (row.type === 'too-long') {
      const reason = `the row is ${row.length} bytes long, more than the ${maxLineBytes} allowed (--max-line-bytes)`;
      if (header === null) throw new RangeError(`the header cannot be read: ${reason}`);
      yield reject(origin, { reason });
    } else if (header === null) header = readHeader(row.bytes, csv);
    else yield readRow(row.bytes, header, origin, csv);
  }
}

/** @throws RangeError when it is not UTF-8, or a name that is in use stands for two columns */
function readHeader(bytes: Buffer, options: CsvOptions): string[] {
  let names: string[];
  try {
    names = Array.from(fieldsOf(bytes, options.delimiter), (name) => decodeUtf8(name).trim());
  } catch (cause) {
    throw new RangeError(`the header cannot be read: ${messageOf(cause)}`, { cause });
  }
  for (const name of namesInUse(options)) {
    if (names.indexOf(name) !== names.lastIndexOf(name))
      throw new RangeError(`the header has two columns ${JSON.stringify(name)}: which is meant?`);
  }
  return names;
}

function readRow(bytes: Buffer, header: readonly string[], origin: Origin, options: CsvOptions): ReadItem {
  const fields = Object.create(null) as Record<string, unknown>;
  const texts = new Set([options.idField, options.textField, options.titleField]);
  let count = 0;
  try {
    for (const field of fieldsOf(bytes, options.delimiter)) {
      const name = header[count];
      count += 1;
      if (name === undefined) continue;
      const value = decodeUtf8(field);
      fields[name] = texts.has(name) ? value : plainNumber(value);
    }
  } catch (error) {
    return reject(origin, { reason: messageOf(error) });
  }
  if (count !== header.length)
    return reject(origin, { reason: `the row has ${count} columns, the header ${header.length}` });
  return documentOf(fields, origin, 'csv', options);
}

function plainNumber(value: string): string | number {
  const number = Number(value);
  return value !== '' && String(number) === value && Number.isFinite(number) ? number : value;
}

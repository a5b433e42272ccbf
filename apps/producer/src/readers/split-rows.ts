/** One row of CSV as it is written, without its line break, or the news that it was too long to be held. */
export type Row =
  | { readonly type: 'row'; readonly line: number; readonly bytes: Buffer }
  | { readonly type: 'too-long'; readonly line: number; readonly length: number };

/** The byte of a comma or of a tab. */
export type Delimiter = 0x2c | 0x09;

const [LF, CR, QUOTE, COMMA] = [0x0a, 0x0d, 0x22, 0x2c];
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Splits bytes into the rows of RFC 4180: at \n, \r\n and \r outside quotes. Blank rows are left out. A row longer than
 * `maxRowBytes` is counted, not held: neither a gigabyte in quotes nor a gigabyte of commas takes memory. A row's line
 * is the one it begins on.
 *
 * Written by hand because a parser library gives up a whole block when one row in it is wrong, and limits the length of
 * fields, not of rows.
 *
 * @throws RangeError for quotes that are wrong, behind all rows before them: where the next row begins is then not known
 */
export async function* splitRows(
  blocks: AsyncIterable<Buffer>,
  delimiter: Delimiter,
  maxRowBytes: number,
): AsyncGenerator<Row> {
  const quotes = new QuoteScanner(delimiter);
  let parts: Buffer[] = [];
  let length = 0;
  let line = 1;
  const add = (part: Buffer) => {
    length += part.length;
    if (length <= maxRowBytes) parts.push(part);
    else parts = [];
  };
  const take = (): Row | null => {
    const row: Row =
      length > maxRowBytes
        ? { type: 'too-long', line, length }
        : { type: 'row', line, bytes: Buffer.concat(parts) };
    const blank = length === 0;
    parts = [];
    length = 0;
    line = quotes.line;
    return blank ? null : row;
  };
  for await (const block of withoutByteOrderMark(blocks)) {
    let start = 0;
    for (let end = quotes.rowEnd(block, 0); end !== -1; end = quotes.rowEnd(block, start)) {
      add(block.subarray(start, end));
      const row = take();
      if (row !== null) yield row;
      start = end + 1;
    }
    if (start < block.length) add(block.subarray(start));
  }
  quotes.assertClosed(line);
  const last = take();
  if (last !== null) yield last;
}

/** Knows after every byte whether it is within quotes. */
class QuoteScanner {
  readonly #delimiter: Delimiter;
  #state: 'field' | 'plain' | 'quoted' | 'behind' = 'field';
  /** Of the block before. */
  #lastByte = 0;
  /** Of the byte that comes next, if that is not the second half of a \r\n. */
  line = 1;

  constructor(delimiter: Delimiter) {
    this.#delimiter = delimiter;
  }

  /**
   * Where in the block a row ends, or -1 when the block ends first. The \n of a \r\n ends a row too, a blank one.
   * @throws RangeError
   */
  rowEnd(block: Buffer, from: number): number {
    for (let position = from; position < block.length; position += 1) {
      const byte = block[position] ?? 0;
      // Most bytes: within a field, and beyond every byte that means something.
      if (byte > COMMA && (this.#state === 'plain' || this.#state === 'quoted')) continue;
      const before = position === 0 ? this.#lastByte : block[position - 1];
      if (this.#take(byte, before === CR)) return position;
    }
    this.#lastByte = block.at(-1) ?? this.#lastByte;
    return -1;
  }

  #take(byte: number, afterCr: boolean): boolean {
    const newline = byte === LF || byte === CR;
    if (newline && !(byte === LF && afterCr)) this.line += 1;
    if (this.#state === 'quoted') {
      if (byte === QUOTE) this.#state = 'behind';
      return false;
    }
    if (newline || byte === this.#delimiter) {
      this.#state = 'field';
      return newline;
    }
    if (byte === QUOTE) this.#quote();
    else if (this.#state === 'behind') throw this.#wrong('something stands behind a closing quote');
    else this.#state = 'plain';
    return false;
  }

  assertClosed(line: number): void {
    if (this.#state === 'quoted')
      throw new RangeError(`not CSV from line ${line} on: a quote is opened and never closed`);
  }

  #quote(): void {
    if (this.#state === 'plain') throw this.#wrong('a quote stands in a field that does not begin with one');
    this.#state = 'quoted';
  }

  #wrong(reason: string): RangeError {
    return new RangeError(`not CSV from line ${this.line} on: ${reason}`);
  }
}

/** The fields of a row that {@link splitRows} found. */
export function* fieldsOf(row: Buffer, delimiter: Delimiter): Generator<Buffer> {
  for (let start = 0; start <= row.length;) {
    const end = row[start] === QUOTE ? closingQuote(row, start + 1) : start;
    const next = row.indexOf(delimiter, end);
    const stop = next === -1 ? row.length : next;
    yield end === start ? row.subarray(start, stop) : unquote(row.subarray(start + 1, end));
    start = stop + 1;
  }
}

function closingQuote(row: Buffer, from: number): number {
  let quote = row.indexOf(QUOTE, from);
  while (row[quote + 1] === QUOTE) quote = row.indexOf(QUOTE, quote + 2);
  return quote;
}

/** Keeps every other one of adjacent quotes. */
function unquote(bytes: Buffer): Buffer {
  if (!bytes.includes(QUOTE)) return bytes;
  const result = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let position = 0; position < bytes.length; position += 1) {
    const byte = bytes[position] ?? 0;
    result[length++] = byte;
    if (byte === QUOTE) position += 1;
  }
  return result.subarray(0, length);
}

/** Takes one off the beginning, however the first blocks are cut. */
async function* withoutByteOrderMark(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let first: Buffer | null = Buffer.alloc(0);
  for await (const block of blocks) {
    if (first === null) {
      yield block;
      continue;
    }
    first = Buffer.concat([first, block]);
    if (first.length < 3) continue;
    yield first.subarray(0, 3).equals(BYTE_ORDER_MARK) ? first.subarray(3) : first;
    first = null;
  }
  if (first !== null && first.length > 0) yield first;
}

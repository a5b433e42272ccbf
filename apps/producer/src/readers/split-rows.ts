import type { CsvDialect } from './csv-fields.ts';
import { mayBeMark, skipMarks } from './byte-order-marks.ts';
import { NextRow } from './next-row.ts';
import { quoteRemedy } from './quote-remedy.ts';
import { QuoteScanner } from './quote-scanner.ts';

/** One row of CSV as it is written, without its line break, or why there is none. */
export type Row =
  | { readonly type: 'row'; readonly line: number; readonly bytes: Buffer }
  | { readonly type: 'too-long'; readonly line: number; readonly length: number }
  /** A byte order mark stands before the next one. */
  | { readonly type: 'mark'; readonly line: number }
  /** Its quotes are wrong; the next row is one. */
  | { readonly type: 'bad'; readonly line: number; readonly bytes: Buffer; readonly reason: string };

const UNCLOSED = 'a quote is opened and never closed';

/**
 * Splits bytes into the rows of RFC 4180: at \n, \r\n and \r outside quotes. Blank rows are left out. A row longer than
 * `maxRowBytes` is counted, not held: neither a gigabyte in quotes nor a gigabyte of commas takes memory. A row's line
 * is the one it begins on.
 *
 * Written by hand because a parser library gives up a whole block when one row in it is wrong, limits the length of
 * fields, not of rows, and does not look for the next row behind a quote that is never closed.
 *
 * @throws RangeError when a quote is never closed and where the next row begins cannot be told, behind all rows before
 */
export async function* splitRows(
  blocks: AsyncIterable<Buffer>,
  dialect: CsvDialect,
  maxRowBytes: number,
): AsyncGenerator<Row> {
  const splitter = new RowSplitter(dialect, maxRowBytes);
  for await (const block of blocks) yield* splitter.take(block);
  yield* splitter.end();
}

class RowSplitter {
  readonly #dialect: CsvDialect;
  readonly #maxRowBytes: number;
  readonly #scanner: QuoteScanner;
  readonly #nextRow: NextRow;
  #parts: Buffer[] = [];
  #length = 0;
  #line = 1;
  /** What may be the beginning of a byte order mark. */
  #left: Buffer = Buffer.alloc(0);

  constructor(dialect: CsvDialect, maxRowBytes: number) {
    this.#dialect = dialect;
    this.#maxRowBytes = maxRowBytes;
    this.#scanner = new QuoteScanner(dialect);
    this.#nextRow = new NextRow(dialect);
  }

  *take(bytes: Buffer): Generator<Row> {
    let block = this.#left.length === 0 ? bytes : Buffer.concat([this.#left, bytes]);
    this.#left = Buffer.alloc(0);
    let start = 0;
    for (;;) {
      if (this.#length === 0) {
        const unmarked = skipMarks(block, start);
        if (unmarked > start && this.#line > 1) yield { type: 'mark', line: this.#line };
        start = unmarked;
        if (mayBeMark(block, start)) return void (this.#left = block.subarray(start));
      }
      const end = this.#scanner.rowEnd(block, start);
      const wasShort = this.#length <= this.#maxRowBytes;
      if (end === -1) {
        const left = block.subarray(start);
        const isTooLong = this.#length + left.length > this.#maxRowBytes;
        const rest =
          wasShort && isTooLong && this.#scanner.isQuoted
            ? yield* this.#skipBadLine([...this.#parts, left])
            : null;
        if (rest === null) return this.#add(left);
        [block, start] = [rest, 0];
        continue;
      }
      this.#add(block.subarray(start, end));
      const reason = this.#scanner.takeProblem();
      const rest =
        reason !== null && this.#spansLines() ? yield* this.#skipBadLine(this.#parts, reason) : null;
      if (rest !== null) [block, start] = [Buffer.concat([rest, block.subarray(end)]), 0];
      else {
        const row = this.#row(reason);
        if (row !== null) yield row;
        start = end + 1;
      }
    }
  }

  *end(): Generator<Row> {
    this.#add(this.#left);
    while (this.#scanner.isQuoted) {
      const rest = yield* this.#skipBadLine(this.#parts);
      if (rest === null)
        throw new RangeError(
          `not CSV from line ${this.#line} on: ${UNCLOSED}${quoteRemedy(Buffer.concat(this.#parts), this.#dialect)}`,
        );
      yield* this.take(rest);
    }
    const last = this.#row(this.#scanner.takeProblem());
    if (last !== null) yield last;
  }

  #add(part: Buffer): void {
    this.#length += part.length;
    if (this.#length <= this.#maxRowBytes) this.#parts.push(part);
    else this.#parts = [];
  }

  #spansLines(): boolean {
    return this.#length <= this.#maxRowBytes && this.#scanner.line > this.#line + 1;
  }

  /** Gives up the lines before the next row, if it can be told. @returns the bytes from there on */
  *#skipBadLine(parts: readonly Buffer[], reason = UNCLOSED): Generator<Row, Buffer | null> {
    const held = Buffer.concat(parts);
    const next = this.#nextRow.within(held);
    if (next === null) return null;
    const bad = held.subarray(0, next);
    yield { type: 'bad', line: this.#line, bytes: bad, reason };
    this.#line += lineBreaks(bad);
    this.#scanner.restart(this.#line);
    [this.#parts, this.#length] = [[], 0];
    return held.subarray(next);
  }

  /** The row that has ended here; null for a blank one. */
  #row(reason: string | null): Row | null {
    const [line, length, bytes] = [this.#line, this.#length, Buffer.concat(this.#parts)];
    [this.#parts, this.#length] = [[], 0];
    this.#line = this.#scanner.line;
    if (length === 0) return null;
    if (length > this.#maxRowBytes) return { type: 'too-long', line, length };
    if (reason !== null) return { type: 'bad', line, bytes, reason };
    this.#nextRow.learn(bytes);
    return { type: 'row', line, bytes };
  }
}

function lineBreaks(bytes: Buffer): number {
  return bytes.toString('latin1').match(/\r\n|\r|\n/g)?.length ?? 0;
}

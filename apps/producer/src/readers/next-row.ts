import { fieldsOf, nextLine, type CsvDialect } from './csv-fields.ts';

/** After a row that cannot be read, at most this many lines are checked, and at least this share of them must be rows. */
const LINES_LOOKED_AT = 20;
const SHARE_OF_ROWS = 0.8;
const SHAPES_KEPT = 100;

/**
 * Tells where the next row begins behind one whose quotes are wrong: at a line that has as many columns as the header
 * and begins as rows before it did, and is followed by lines of which most do. A line of prose within quotes is not
 * taken for a row so.
 */
export class NextRow {
  readonly #dialect: CsvDialect;
  readonly #shapes = new Set<string>();
  #columns: number | null = null;

  constructor(dialect: CsvDialect) {
    this.#dialect = dialect;
  }

  /** Learns what rows look like; the first one is the header. */
  learn(row: Buffer): void {
    if (this.#columns === null) this.#columns = [...fieldsOf(row, this.#dialect)].length;
    else if (this.#shapes.size < SHAPES_KEPT) this.#shapes.add(this.#shapeOf(row));
  }

  /** Where in the bytes of a row that cannot be read the next one begins; null when that cannot be told. */
  within(bytes: Buffer): number | null {
    if (this.#columns === null) return null;
    for (let line = nextLine(bytes, 0); line < bytes.length; line = nextLine(bytes, line)) {
      if (this.#isRow(this.#lineAt(bytes, line))) return this.#areRows(bytes, line) ? line : null;
    }
    return null;
  }

  #areRows(bytes: Buffer, from: number): boolean {
    let [rows, lines] = [0, 0];
    for (let line = from; line < bytes.length && lines < LINES_LOOKED_AT; line = nextLine(bytes, line)) {
      const text = this.#lineAt(bytes, line);
      if (text.length === 0) continue;
      lines += 1;
      if (this.#isRow(text)) rows += 1;
    }
    return rows >= lines * SHARE_OF_ROWS;
  }

  #lineAt(bytes: Buffer, start: number): Buffer {
    let end = nextLine(bytes, start);
    while (end > start && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end -= 1;
    return bytes.subarray(start, end);
  }

  #isRow(line: Buffer): boolean {
    if (line.length === 0 || (this.#shapes.size > 0 && !this.#shapes.has(this.#shapeOf(line)))) return false;
    return [...fieldsOf(line, this.#dialect)].length === this.#columns;
  }

  /** Digits, letters and what else there is, each however long, of the first field. */
  #shapeOf(row: Buffer): string {
    const [first = Buffer.alloc(0)] = fieldsOf(row, this.#dialect);
    const text = first.toString('utf8', 0, 64);
    return text.replaceAll(/\p{N}+/gu, '9').replaceAll(/\p{L}+/gu, 'a');
  }
}

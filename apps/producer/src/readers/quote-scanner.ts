import type { CsvDialect } from './csv-fields.ts';

const [TAB, LF, CR, BLANK] = [0x09, 0x0a, 0x0d, 0x20];

/**
 * Knows after every byte whether it is within quotes. Only a quote at the beginning of a field opens one; within a field
 * that begins otherwise it is a character like any other. Blanks behind a closing quote mean nothing.
 */
export class QuoteScanner {
  readonly #dialect: CsvDialect;
  /** 1 for the bytes that mean something. */
  readonly #special = new Uint8Array(256);
  #state: 'field' | 'plain' | 'quoted' | 'behind' | 'blank' = 'field';
  /** The byte that comes next stands behind an escape. */
  #isEscaped = false;
  #problem: string | null = null;
  /** Of the block before. */
  #lastByte = 0;
  /** Of the byte that comes next, if that is not the second half of a \r\n. */
  line = 1;

  constructor(dialect: CsvDialect) {
    this.#dialect = dialect;
    for (const byte of [LF, CR, dialect.delimiter, dialect.quote, dialect.escape])
      if (byte !== null) this.#special[byte] = 1;
  }

  get isQuoted(): boolean {
    return this.#state === 'quoted';
  }

  /** What is wrong with the quotes of the row that has just ended; told once. */
  takeProblem(): string | null {
    const problem = this.#problem;
    this.#problem = null;
    return problem;
  }

  /** Begins anew, at the beginning of a row. */
  restart(line: number): void {
    this.#state = 'field';
    this.#isEscaped = false;
    this.#problem = null;
    this.#lastByte = 0;
    this.line = line;
  }

  /** Where in the block a row ends, or -1 when the block ends first. The \n of a \r\n ends a row too, a blank one. */
  rowEnd(block: Buffer, from: number): number {
    for (let position = from; position < block.length; position += 1) {
      const byte = block[position] ?? 0;
      // Most bytes: within a field, and without a meaning.
      if (
        this.#special[byte] === 0 &&
        !this.#isEscaped &&
        (this.#state === 'plain' || this.#state === 'quoted')
      )
        continue;
      const before = position === 0 ? this.#lastByte : block[position - 1];
      if (this.#take(byte, before === CR)) return position;
    }
    this.#lastByte = block.at(-1) ?? this.#lastByte;
    return -1;
  }

  #take(byte: number, afterCr: boolean): boolean {
    const newline = byte === LF || byte === CR;
    if (newline && !(byte === LF && afterCr)) this.line += 1;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      return false;
    }
    this.#isEscaped = byte === this.#dialect.escape;
    if (this.#state === 'quoted') {
      if (byte === this.#dialect.quote) this.#state = 'behind';
      return false;
    }
    if (newline || byte === this.#dialect.delimiter) {
      this.#state = 'field';
      return newline;
    }
    if (this.#meansNothing(byte)) return false;
    if (byte === this.#dialect.quote && (this.#state === 'field' || this.#state === 'behind'))
      this.#state = 'quoted';
    else if (this.#state === 'behind' || this.#state === 'blank') {
      this.#problem ??= 'text follows a closing quote';
      this.#state = 'plain';
    } else this.#state = 'plain';
    return false;
  }

  /** Whether it is a blank that is no part of a field. */
  #meansNothing(byte: number): boolean {
    if (byte !== BLANK && byte !== TAB) return false;
    if (this.#state === 'behind') this.#state = 'blank';
    return (
      this.#state === 'blank' || (this.#state === 'field' && byte === BLANK && this.#dialect.skipsBlanks)
    );
  }
}

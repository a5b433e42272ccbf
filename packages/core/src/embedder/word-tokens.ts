/** Words that are remembered, at most twice as many: a language's common ones, and those of the texts at hand. */
const MAX_RECENT_WORDS = 32_768;
/** Longer runs without white space are seldom seen twice. */
const MAX_WORD_LENGTH = 64;

/**
 * Token ids of texts, put together from those of their words, which are remembered: most words of a text have been
 * seen before, and looking one up costs a twentieth of tokenising it. Exact for tokenizers that never look beyond white
 * space and take each mark of ASCII punctuation for a word of its own; memory is bounded.
 */
export class WordTokens {
  readonly #encode: (word: string) => readonly number[];
  readonly #joining: ReadonlySet<number>;
  #recent = new Map<string, readonly number[]>();
  #older = new Map<string, readonly number[]>();

  /**
   * @param encode tokenises a text without special tokens
   * @param special contents of tokens that are found in texts before these are split, e.g. `[SEP]`
   */
  constructor(encode: (text: string) => readonly number[], special: readonly string[]) {
    this.#encode = encode;
    this.#joining = new Set(special.map((content) => content.charCodeAt(0)));
  }

  count(text: string): number {
    let count = 0;
    this.each(text, (ids) => {
      count += ids.length;
      return true;
    });
    return count;
  }

  /** @param most tokens that are wanted; the rest of a text behind them is not looked at. Defaults to all */
  encode(text: string, most = Infinity): number[] {
    const all: number[] = [];
    this.each(text, (ids) => {
      for (const id of ids) all.push(id);
      return all.length < most;
    });
    return all;
  }

  /** Hands over the tokens of each word and the word, in order, until `take` says false. */
  each(text: string, take: (ids: readonly number[], word: string) => boolean): void {
    let goOn = true;
    for (let start = 0; goOn && start < text.length;) {
      let end = start;
      let splits = true;
      for (; end < text.length; end += 1) {
        const code = text.charCodeAt(end);
        const kind = kindOf(code);
        if (kind === SPACE) break;
        if (kind === OTHER || this.#joining.has(code)) splits = false;
      }
      if (splits) goOn = this.#eachPart(text, start, end, take);
      else {
        const word = text.slice(start, end);
        goOn = take(this.#idsOf(word), word);
      }
      start = end + 1;
    }
  }

  /** Of a run of ASCII: words and marks, each by itself, so that `end.` and `end,` are not two words. */
  #eachPart(
    text: string,
    start: number,
    end: number,
    take: (ids: readonly number[], word: string) => boolean,
  ): boolean {
    for (let position = start; position < end;) {
      let next = position + 1;
      if (kindOf(text.charCodeAt(position)) === LETTER)
        while (next < end && kindOf(text.charCodeAt(next)) === LETTER) next += 1;
      const word = text.slice(position, next);
      if (!take(this.#idsOf(word), word)) return false;
      position = next;
    }
    return true;
  }

  #idsOf(word: string): readonly number[] {
    return this.#recent.get(word) ?? this.#remember(word);
  }

  #remember(word: string): readonly number[] {
    const ids = this.#older.get(word) ?? this.#encode(word);
    if (word.length > MAX_WORD_LENGTH) return ids;
    if (this.#recent.size >= MAX_RECENT_WORDS) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(copyOf(word), ids);
    return ids;
  }
}

/** A slice keeps the whole text that it was cut from in memory; a copy does not. */
function copyOf(word: string): string {
  return Buffer.from(word, 'utf16le').toString('utf16le');
}

const OTHER = 0;
const SPACE = 1;
const LETTER = 2;
const MARK = 3;

const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  // Of the other control characters tokenizers drop some, which joins what is beside them.
  if (/[ \n\r\t]/.test(character)) return SPACE;
  if (/[0-9A-Za-z]/.test(character)) return LETTER;
  return code > 0x20 && code < 0x7f ? MARK : OTHER;
});

function kindOf(code: number): number {
  return code < 128 ? (KINDS[code] ?? OTHER) : OTHER;
}

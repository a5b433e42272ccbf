/** Words that are remembered, at most twice as many: a language's common ones, and those of the texts at hand. */
const MAX_RECENT_WORDS = 32_768;
/** Longer runs without white space are seldom seen twice. */
const MAX_WORD_LENGTH = 64;

/**
 * Token ids of texts, put together from those of their words, which are remembered: most words of a text have been
 * seen before, and looking one up costs a twentieth of tokenising it. Exact for tokenizers that never look beyond white
 * space; memory is bounded.
 */
export class WordTokens {
  readonly #encode: (word: string) => readonly number[];
  #recent = new Map<string, readonly number[]>();
  #older = new Map<string, readonly number[]>();

  /** @param encode tokenises a text without special tokens */
  constructor(encode: (text: string) => readonly number[]) {
    this.#encode = encode;
  }

  count(text: string): number {
    let count = 0;
    for (let start = 0; start < text.length;) {
      const end = wordEnd(text, start);
      if (end > start) count += this.#idsOf(text.slice(start, end)).length;
      start = end + 1;
    }
    return count;
  }

  encode(text: string): number[] {
    const ids: number[] = [];
    for (let start = 0; start < text.length;) {
      const end = wordEnd(text, start);
      if (end > start) for (const id of this.#idsOf(text.slice(start, end))) ids.push(id);
      start = end + 1;
    }
    return ids;
  }

  #idsOf(word: string): readonly number[] {
    return this.#recent.get(word) ?? this.#remember(word);
  }

  #remember(word: string): readonly number[] {
    const older = this.#older.get(word);
    const ids = older ?? this.#encode(word);
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

/** Only white space that every tokenizer takes for such: of other control characters some are dropped, and join words. */
function wordEnd(text: string, start: number): number {
  let end = start;
  for (; end < text.length; end += 1) {
    const code = text.charCodeAt(end);
    if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) break;
  }
  return end;
}

import type { TokenCounter } from '../embedder/embedder.ts';
import { EmbedlineError } from '../errors.ts';
import type { ChunkingOptions } from './chunking-options.ts';
import { cutText } from './cut-text.ts';
import { embeddedText } from './embedded-text.ts';

/** Fewer tokens of a document's own text than these are no chunk. */
const MIN_TEXT_TOKENS = 4;
/** Most characters per token of a chunk: white space has no tokens, and would make texts of any length. */
const MAX_CHARACTERS_PER_TOKEN = 64;
/** An embedded title takes half of a chunk at most. */
const TITLE_SHARE = 0.5;

/** How much of a document fits into a chunk, besides what is embedded with it. */
export interface ChunkBudget {
  /** Characters of a chunk at most, blanks included. */
  readonly maxCharacters: number;
  /** Tokens for the text that is a chunk's own, in a document whose chunks have these titles. */
  textTokens(titles: Iterable<string | null>): number;
  /** A title as it is stored: shortened where it is embedded and would leave too little room. */
  titleOf(title: string | null): string | null;
  /**
   * Tokens of all that the model gets for a chunk.
   * @param title as it is stored
   * @param tokens of the text, when they add up with those of what stands before it; else null
   */
  inputTokens(text: string, title: string | null, tokens: number | null): number;
}

/** @throws EmbedlineError USAGE when the options leave no room for text */
export function chunkBudget(options: ChunkingOptions, counter: TokenCounter): ChunkBudget {
  const { maxTokens, overlapTokens, passagePrefix = '', embedTitle = false } = options;
  const prefixTokens = counter.count(passagePrefix);
  const available = maxTokens - counter.specialTokens - prefixTokens - overlapTokens;
  const titleTokens = embedTitle ? Math.floor(available * TITLE_SHARE) : 0;
  if (available - titleTokens < MIN_TEXT_TOKENS) {
    throw new EmbedlineError(
      'USAGE',
      `A chunk of ${maxTokens} tokens leaves no room for text: ${counter.specialTokens} are special tokens, ${prefixTokens} the ` +
        `model's prompt, ${overlapTokens} the overlap, ${titleTokens} the title. Take a larger --chunk-tokens.`,
    );
  }
  // Where a prefix ends within a word, that word's tokens are not those that it has alone.
  const addsUp = counter.additive && /(?:^|[\s\p{P}])$/u.test(passagePrefix);
  const countTitle = (title: string | null) => (title === null ? 0 : counter.count(title));
  return {
    maxCharacters: (available - titleTokens) * MAX_CHARACTERS_PER_TOKEN,
    textTokens: (titles) => {
      if (!embedTitle) return available;
      let longest = 0;
      for (const title of new Set(titles)) longest = Math.max(longest, countTitle(title));
      return available - Math.min(longest, titleTokens);
    },
    titleOf: (title) =>
      !embedTitle || title === null || countTitle(title) <= titleTokens
        ? title
        : shorten(title, titleTokens, counter),
    inputTokens: (text, title, tokens) =>
      counter.specialTokens +
      (tokens !== null && addsUp
        ? prefixTokens + (embedTitle ? countTitle(title) : 0) + tokens
        : counter.count(passagePrefix + embeddedText({ title, text }, embedTitle))),
  };
}

/** As much of a title as fits into a number of tokens, with an ellipsis; null when nothing fits. */
function shorten(title: string, maxTokens: number, counter: TokenCounter): string | null {
  let [fits, fitsNot] = [0, Math.min(title.length, maxTokens * MAX_CHARACTERS_PER_TOKEN)];
  const shortened = (length: number) => `${cutText(title, length).trimEnd()}…`;
  while (fitsNot - fits > 1) {
    const middle = (fits + fitsNot) >> 1;
    if (counter.count(shortened(middle)) <= maxTokens) fits = middle;
    else fitsNot = middle;
  }
  return fits === 0 ? null : shortened(fits);
}

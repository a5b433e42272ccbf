import type { TokenCounter } from '../embedder/embedder.ts';

/** How long a piece of text is. */
export interface Measured {
  readonly tokens: number;
  /** Tokens among them that stand for what is not in the model's vocabulary. */
  readonly unknown: number;
  /**
   * What it counts for when chunks are filled: its tokens, but text that the model has no tokens for counts as if it had.
   * A whole paragraph in an unknown script is one unknown token; without this, a chunk would hold thousands of characters.
   */
  readonly weight: number;
}

/** About as many as a token has in scripts that models know. */
const CHARACTERS_PER_UNKNOWN_TOKEN = 4;

export function measure(text: string, counter: TokenCounter): Measured {
  const { tokens, unknown, unknownCharacters } = counter.measure(text);
  const known = tokens - unknown;
  const asKnown = Math.ceil(unknownCharacters / CHARACTERS_PER_UNKNOWN_TOKEN);
  return { tokens, unknown, weight: known + Math.max(unknown, asKnown) };
}

import type { TokenCounter } from '@embedline/core';

/** A token a word: quick, additive, and easy to reason about. */
export const wordCounter: TokenCounter = {
  specialTokens: 2,
  additive: false,
  count,
  measure: (text) => ({ tokens: count(text), unknown: 0, unknownCharacters: 0 }),
};

function count(text: string): number {
  return text.match(/[\p{L}\p{N}]{1,12}|[^\s\p{L}\p{N}]/gu)?.length ?? 0;
}

import { embeddedText, type Chunk, type ChunkableText, type TokenCounter } from '@embedline/core';

export interface ChunkLimits {
  readonly counter: TokenCounter;
  /** Most tokens that the model takes, special tokens included. */
  readonly maxTokens: number;
}

/**
 * What is wrong with the chunks of a document, in sentences; empty when nothing is. Each chunk must be cut out of the
 * text at its offsets, in order, whole characters only, and within the limit, and every character of the body that is
 * not blank must be in one of them. Text that has no tokens (zero-width characters alone) is excepted.
 */
export function violationsOf(
  { text, bodyStart = 0 }: ChunkableText,
  chunks: readonly Chunk[],
  { counter, maxTokens }: ChunkLimits,
): string[] {
  const violations: string[] = [];
  let [covered, before] = [bodyStart, bodyStart - 1];
  const checkGap = (end: number) => {
    const gap = text.slice(covered, end);
    if (gap.trim() !== '' && counter.count(gap) > 0)
      violations.push(`characters ${covered} to ${end} are in no chunk: ${excerpt(gap.trim())}`);
  };
  for (const [position, chunk] of chunks.entries()) {
    const { index, start, end } = chunk;
    const wrong = (what: string) => violations.push(`chunk ${position} (${start} to ${end}) ${what}`);
    if (index !== position) wrong(`has the index ${index}`);
    if (start <= before) wrong(`does not begin behind the one before it, or begins in the front matter`);
    if (text.slice(start, end) !== chunk.text)
      wrong(`stores another text than the document has there: ${excerpt(chunk.text)}`);
    if (!chunk.text.isWellFormed()) wrong('is cut within a character');
    if (chunk.text.trim() !== chunk.text || chunk.text === '') wrong('begins or ends with blanks');
    // Of what is embedded: the text without its markup, where it has some.
    const tokens = counter.count(embeddedText(chunk, false));
    if (tokens !== chunk.textTokens) wrong(`has ${tokens} tokens, and says ${chunk.textTokens}`);
    if (tokens === 0) wrong('has no tokens');
    if (Math.max(tokens + counter.specialTokens, chunk.tokens) > maxTokens)
      wrong(`has ${Math.max(tokens + counter.specialTokens, chunk.tokens)} tokens of ${maxTokens}`);
    checkGap(start);
    covered = Math.max(covered, end);
    before = start;
  }
  checkGap(text.length);
  return violations;
}

function excerpt(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

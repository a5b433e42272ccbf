import { graphemeEndWithin, nextGraphemeEnd } from './graphemes.ts';
import { hashText } from './hash-text.ts';
import { isSpace } from './white-space.ts';

/** A piece of an atom that was too long; `torn` when it begins or ends within a word. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  readonly torn: boolean;
}

/** Words per group, on average: few enough to fit, enough to be worth a token count. */
const WORDS_PER_PIECE = 16;
const MAX_WORDS_PER_PIECE = 32;
/** A run without white space that is longer than this is cut into pieces of `TORN_LENGTH` UTF-16 units. */
const MAX_WORD_LENGTH = 200;
const TORN_LENGTH = 32;

/**
 * Cuts text without sentence ends into groups of words. Where a group ends is decided by a hash of its last word, so
 * that an edit moves the ends near it and no others; endless words are cut by length.
 */
export function splitLong(text: string, start: number, end: number): Piece[] {
  const pieces: Piece[] = [];
  let groupStart = -1;
  let groupEnd = -1;
  let words = 0;
  const endGroup = () => {
    if (words > 0) pieces.push({ start: groupStart, end: groupEnd, torn: false });
    words = 0;
  };
  for (let position = start; position < end;) {
    while (position < end && isSpace(text.charCodeAt(position))) position += 1;
    const wordStart = position;
    while (position < end && !isSpace(text.charCodeAt(position))) position += 1;
    if (position === wordStart) break;
    if (position - wordStart > MAX_WORD_LENGTH) {
      endGroup();
      // Not spread into arguments: a word may have millions of pieces.
      for (const piece of tear(text, wordStart, position)) pieces.push(piece);
      continue;
    }
    if (words === 0) groupStart = wordStart;
    groupEnd = position;
    words += 1;
    const last = hashText(text, wordStart, position) % WORDS_PER_PIECE === 0;
    if (last || words >= MAX_WORDS_PER_PIECE) endGroup();
  }
  endGroup();
  return pieces;
}

/**
 * Cuts a run without white space into pieces of bounded length, between characters as people see them: a longer one, such as
 * a letter with hundreds of marks, is cut between code points.
 */
export function tear(text: string, start: number, end: number, length = TORN_LENGTH): Piece[] {
  const pieces: Piece[] = [];
  for (let position = start; position < end;) {
    const next = tornEnd(text, position, { start, end, length });
    pieces.push({ start: position, end: next, torn: true });
    position = next;
  }
  return pieces;
}

/** A character is cut only where it is all there is: what is too long with others may fit alone. */
function tornEnd(
  text: string,
  position: number,
  { start, end, length }: { readonly start: number; readonly end: number; readonly length: number },
): number {
  if (position + length >= end) return end;
  const whole = graphemeEndWithin(text, position, position + length);
  if (whole > position) return whole;
  const next = nextGraphemeEnd(text, position);
  if (next < end) return next;
  return position > start ? end : codePointEnd(text, position, Math.min(position + length, end));
}

/** The last end of a code point up to `limit`; of the first one when that is longer. */
function codePointEnd(text: string, start: number, limit: number): number {
  if (!isLowSurrogate(text.charCodeAt(limit))) return limit;
  return limit - start > 1 ? limit - 1 : limit + 1;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

import { isSpace } from './white-space.ts';

const TERMINATORS = new Set('.!?…。！？｡।؟۔');
/** These end a sentence without white space after them. */
const WIDE_TERMINATORS = new Set('。！？｡');
const [FULL_STOP, EXCLAMATION, QUESTION] = [0x2e, 0x21, 0x3f];
const CLOSERS = new Set('"\'”’)]}»」』）】');

/**
 * Offsets just behind the ends of sentences within [start, end). A hand-written linear scan, so that no text can make
 * it slow, and decided from a few characters around each full stop, so that an edit elsewhere cannot move an end.
 * Abbreviations such as "Mr." or "U.S." do not end a sentence.
 */
export function sentenceEnds(text: string, start: number, end: number): number[] {
  const ends: number[] = [];
  for (let position = start; position < end; position += 1) {
    const code = text.charCodeAt(position);
    // Most characters are none: of ASCII only these three are.
    if (code < 128 && code !== FULL_STOP && code !== EXCLAMATION && code !== QUESTION) continue;
    const character = text[position] ?? '';
    if (!TERMINATORS.has(character)) continue;
    let after = position + 1;
    while (after < end && belongsToEnd(text[after] ?? '')) after += 1;
    const wide = WIDE_TERMINATORS.has(character);
    if (after < end && (wide || isSpace(text.charCodeAt(after)))) {
      if (wide || !continues(text, position, after, start, end)) ends.push(after);
    }
    position = after - 1;
  }
  return ends;
}

/** Whether a character behind a terminator is still part of it; marks and variation selectors are part of what they stand behind. */
function belongsToEnd(character: string): boolean {
  return TERMINATORS.has(character) || CLOSERS.has(character) || /^\p{M}$/u.test(character);
}

/** True when a full stop is that of an abbreviation, or what follows goes on in lower case. */
function continues(text: string, stop: number, after: number, start: number, end: number): boolean {
  let next = after;
  while (next < end && isSpace(text.charCodeAt(next))) next += 1;
  const following = text[next] ?? '';
  if (following.toLowerCase() === following && following.toUpperCase() !== following) return true;
  if (text[stop] !== '.') return false;
  let begin = stop;
  while (begin > start && stop - begin < 5 && /[\p{L}.]/u.test(text[begin - 1] ?? '')) begin -= 1;
  const word = text.slice(begin, stop);
  return word.length > 0 && word.length <= 3 && /^\p{Lu}/u.test(word);
}

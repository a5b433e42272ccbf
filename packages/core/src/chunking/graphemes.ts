/** Made on first use: it costs 16 ms. */
let segmenter: Intl.Segmenter | null = null;
const segments = (text: string) =>
  (segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })).segment(text);
/** More UTF-16 units than any character that people write has: a family of four with skin tones has 19. */
const MAX_GRAPHEME_LENGTH = 64;
/** Below U+0300 nothing joins with what stands before it, but LF with CR. */
const FIRST_JOINING = 0x300;
/** UTF-16 units before a place that are searched for where its characters begin. */
const LOOK_BEHIND = 256;

/**
 * The last place up to `limit` where a character as people see it (a grapheme cluster) ends: an emoji of several parts, a
 * flag, a letter with its combining marks.
 * @param start where a character begins, below `limit`
 * @returns `start` when the character that begins there goes on beyond `limit`
 */
export function graphemeEndWithin(text: string, start: number, limit: number): number {
  if (limit >= text.length) return text.length;
  const [last, next] = [text.charCodeAt(limit - 1), text.charCodeAt(limit)];
  if (last < FIRST_JOINING && next < FIRST_JOINING && !(last === 13 && next === 10)) return limit;
  const from = Math.max(start, limit - LOOK_BEHIND);
  let end = from;
  for (const { index, segment } of segments(text.slice(from, limit + MAX_GRAPHEME_LENGTH))) {
    if (from + index + segment.length > limit) break;
    end = from + index + segment.length;
  }
  return end;
}

/** The end of the character that begins at a place, which is at most 64 UTF-16 units behind it. */
export function nextGraphemeEnd(text: string, start: number): number {
  const [first] = segments(text.slice(start, start + MAX_GRAPHEME_LENGTH));
  return start + wholeUnits(text, start, first?.segment.length ?? 1);
}

/** The number of units, one fewer where that would halve a surrogate pair. */
function wholeUnits(text: string, start: number, length: number): number {
  const last = text.charCodeAt(start + length - 1);
  const halved = start + length < text.length && last >= 0xd800 && last <= 0xdbff;
  return halved && length > 1 ? length - 1 : length;
}

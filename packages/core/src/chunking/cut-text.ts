import { graphemeEndWithin } from './graphemes.ts';

/** The first UTF-16 units of a text, up to a limit, without cutting a grapheme cluster in two. */
export function cutText(text: string, length: number): string {
  if (text.length <= length || length <= 0) return text.slice(0, Math.max(0, length));
  const whole = graphemeEndWithin(text, 0, length);
  if (whole > 0) return text.slice(0, whole);
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

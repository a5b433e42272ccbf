export { safeJson, safeText } from '@embedline/core/base';

/** Made on first use: it costs 16 ms, and most of what is printed is plain. */
let segmenter: Intl.Segmenter | null = null;
const segments = (text: string) =>
  (segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })).segment(text);
/** Emoji and East Asian wide characters take two columns (Unicode UAX #11, in broad strokes). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns that a text takes on a terminal; it holds no escape sequences. */
export function displayWidth(text: string): number {
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segments(text))
    width += WIDE.test(segment) ? 2 : /^\p{M}+$/u.test(segment) ? 0 : 1;
  return width;
}

/** The text cut to at most `columns` columns, ending in an ellipsis if something was cut. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let result = '';
  let width = 0;
  for (const { segment } of segments(text)) {
    width += displayWidth(segment);
    if (width > columns - 1) break;
    result += segment;
  }
  return `${result.trimEnd()}…`;
}

/** The text in lines of at most `columns` columns, broken at spaces where possible. At least one line. */
export function wrap(text: string, columns: number): string[] {
  if (displayWidth(text) <= columns) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (displayWidth(longer) <= columns) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    const pieces = cut(word, columns);
    line = pieces.pop() ?? '';
    for (const piece of pieces) lines.push(piece);
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}

/** A word in pieces of at most `columns` columns. */
function cut(word: string, columns: number): string[] {
  if (displayWidth(word) <= columns) return [word];
  const pieces = [''];
  let width = 0;
  for (const { segment } of segments(word)) {
    const more = displayWidth(segment);
    if (width + more > columns && width > 0) {
      pieces.push('');
      width = 0;
    }
    pieces.push(`${pieces.pop() ?? ''}${segment}`);
    width += more;
  }
  return pieces;
}

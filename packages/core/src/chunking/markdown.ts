import { cutText } from './cut-text.ts';

/** An ATX heading (`## Title`), or null. @see https://spec.commonmark.org/0.31.2/#atx-headings */
export function parseHeading(line: string): { level: number; title: string } | null {
  let position = 0;
  while (position < 3 && line[position] === ' ') position += 1;
  const begin = position;
  while (line[position] === '#') position += 1;
  const level = position - begin;
  if (level < 1 || level > 6) return null;
  const rest = line.slice(position);
  if (rest !== '' && rest[0] !== ' ' && rest[0] !== '\t' && rest[0] !== '\r') return null;
  let end = rest.trimEnd().length;
  while (end > 0 && rest[end - 1] === '#') end -= 1;
  const title = cutText(rest.slice(0, end).trim(), 200);
  return { level, title: title === '' ? cutText(rest.trim(), 200) : title };
}

/** The line under a setext heading: only `=` or only `-`. */
export function isHeadingUnderline(line: string): boolean {
  const trimmed = line.trim();
  const mark = trimmed[0];
  if (mark !== '=' && mark !== '-') return false;
  for (const character of trimmed) if (character !== mark) return false;
  return true;
}

/** True for the start of a list item, a table row or a quotation: lines that stand for themselves. */
export function listOrTableStart(line: string): boolean {
  return /^\s{0,12}(?:[-*+•|>]|\d{1,4}[.)])\s?/.test(line);
}

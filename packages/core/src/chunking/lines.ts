import { trim } from './white-space.ts';

/** A line without its end. */
export interface Line {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** The lines of a range, with any of the three usual line ends (LF, CR LF, CR). */
export function* linesOf(text: string, from: number, to: number): Generator<Line> {
  let start = from;
  for (let position = from; position < to; position += 1) {
    const code = text.charCodeAt(position);
    if (code !== 10 && code !== 13) continue;
    yield { start, end: position };
    if (code === 13 && text.charCodeAt(position + 1) === 10) position += 1;
    start = position + 1;
  }
  if (start < to) yield { start, end: to };
}

export function isBlank(text: string, { start, end }: Line): boolean {
  const trimmed = trim(text, start, end);
  return trimmed.start === trimmed.end;
}

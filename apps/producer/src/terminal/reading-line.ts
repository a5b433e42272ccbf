import { formatCount } from './format.ts';
import { bar } from './progress-line.ts';
import type { Style } from './style.ts';

export interface Reading {
  readonly bytes: number;
  /** Null when it is not known. */
  readonly total: number | null;
  readonly documents: number;
}

/** One line while a corpus is read. */
export function readingLine({ bytes, total, documents }: Reading, style: Style): string {
  const share = total === null ? null : Math.min(1, bytes / Math.max(total, 1));
  const percent = share === null ? '  ?%' : `${String(Math.floor(share * 100)).padStart(3)}%`;
  const text = `${percent}  ${formatCount(documents)} documents read`;
  const width = Math.max(1, Math.min(24, style.columns - text.length - 4));
  return `${style.cyan(bar(share ?? 0, width))} ${text}`;
}

import type { SourceFormat } from './read-item.ts';

export interface FileFormat {
  readonly format: SourceFormat;
  /** Between the columns of a row; for csv. */
  readonly delimiter: ',' | '\t';
  readonly gzip: boolean;
}

/** What is known by its ending. */
export const ENDINGS: Readonly<Record<string, Omit<FileFormat, 'gzip'>>> = Object.freeze({
  '.jsonl': { format: 'jsonl', delimiter: ',' },
  '.ndjson': { format: 'jsonl', delimiter: ',' },
  '.csv': { format: 'csv', delimiter: ',' },
  '.tsv': { format: 'csv', delimiter: '\t' },
  '.txt': { format: 'text', delimiter: ',' },
  '.text': { format: 'text', delimiter: ',' },
  '.md': { format: 'markdown', delimiter: ',' },
  '.markdown': { format: 'markdown', delimiter: ',' },
});

export function formatOf(path: string): FileFormat | null {
  const lower = path.toLowerCase();
  const gzip = lower.endsWith('.gz');
  const name = gzip ? lower.slice(0, -3) : lower;
  const format = ENDINGS[name.slice(Math.max(name.lastIndexOf('.'), 0))];
  return format === undefined ? null : { ...format, gzip };
}

import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { Chunk, ChunkableText } from '@embedline/core';
import { Corpus } from '../../apps/producer/src/readers/corpus.ts';
import {
  DEFAULT_RECORD_OPTIONS,
  type ReadItem,
  type RecordOptions,
} from '../../apps/producer/src/readers/read-item.ts';
import type { ReadingReport } from '../../apps/producer/src/readers/reading-notes.ts';
import { violationsOf, type ChunkLimits } from './check-document.ts';
import { problemOfFrontMatter, problemOfText } from './expected-text.ts';

export interface CheckFilesOptions {
  readonly folders: readonly string[];
  readonly cwd: string;
  readonly chunk: (document: ChunkableText) => readonly Chunk[];
  readonly limits: ChunkLimits;
}

export interface CheckedFiles {
  /** Documents by format. */
  readonly documents: Readonly<Record<string, number>>;
  readonly chunks: number;
  /** What must not be, as `PLACE: WHAT`. */
  readonly violations: readonly string[];
  /** What was not read, by cause, most frequent first. */
  readonly refused: readonly Refusal[];
  readonly report: ReadingReport;
}

export interface Refusal {
  readonly cause: string;
  readonly count: number;
  /** The first one. */
  readonly at: string;
}

/** Columns of tables and fields of JSON lines whose texts are taken: what files that were found call them, nobody knows. */
const COLUMNS = Array.from({ length: 60 }, (_, index) => String(index + 1));
const FIELDS = 'text body content message title description name question answer'.split(' ');

const RECORDS: RecordOptions = {
  ...DEFAULT_RECORD_OPTIONS,
  idFrom: 'line',
  textFields: [...FIELDS, ...COLUMNS],
  csv: { header: false },
};

/** Reads and cuts every file below the folders that a reader takes, and checks each document. */
export async function checkFiles({ folders, cwd, chunk, limits }: CheckFilesOptions): Promise<CheckedFiles> {
  const corpus = new Corpus({
    ...RECORDS,
    sources: folders,
    cwd,
    stdin: Readable.from([]),
    hidden: true,
    ignore: false,
  });
  const documents: Record<string, number> = {};
  const violations: string[] = [];
  const refused = new Map<string, { count: number; at: string }>();
  let chunks = 0;
  for await (const item of corpus.read()) {
    if (item.type === 'document') {
      documents[item.format] = (documents[item.format] ?? 0) + 1;
      const checked = await checkDocument(item, { cwd, chunk, limits });
      chunks += checked.chunks;
      violations.push(...checked.violations.map((what) => `${placeOf(item.document.origin)}: ${what}`));
    } else if (item.type === 'reject') {
      const { origin, reason } = item.deadLetter;
      const cause = causeOf(reason);
      const found = refused.get(cause) ?? { count: 0, at: placeOf(origin) };
      refused.set(cause, { ...found, count: found.count + 1 });
    }
  }
  const byCount = [...refused].sort(([, a], [, b]) => b.count - a.count);
  return {
    documents,
    chunks,
    violations,
    refused: byCount.map(([cause, found]) => ({ cause, ...found })),
    report: corpus.report,
  };
}

async function checkDocument(
  { document, format }: Extract<ReadItem, { type: 'document' }>,
  { cwd, chunk, limits }: Omit<CheckFilesOptions, 'folders'>,
): Promise<{ readonly chunks: number; readonly violations: readonly string[] }> {
  const { text, title, bodyStart = 0, origin } = document;
  const violations: (string | null)[] = [];
  if (format === 'text' || format === 'markdown') {
    violations.push(await problemOfText(resolve(cwd, origin.file), text));
    violations.push(problemOfFrontMatter(text, bodyStart));
  }
  const cut: ChunkableText = {
    text,
    title,
    bodyStart,
    format: format === 'markdown' ? 'markdown' : 'plain',
  };
  try {
    const chunks = chunk(cut);
    violations.push(...violationsOf(cut, chunks, limits));
    return { chunks: chunks.length, violations: violations.filter((one) => one !== null) };
  } catch (error) {
    return { chunks: 0, violations: [`cutting it failed: ${String(error)}`] };
  }
}

function placeOf(origin: { readonly file: string; readonly line?: number } | null): string {
  if (origin === null) return '?';
  return origin.line === undefined ? origin.file : `${origin.file}:${origin.line}`;
}

/** A reason without what differs from file to file. */
function causeOf(reason: string): string {
  return reason.replaceAll(/(?<![\w"-])\d[\d,]*/g, 'N').slice(0, 150);
}

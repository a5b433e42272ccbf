import type { DeadLetter, Origin } from '@embedline/core';
import type { Corpus } from '../readers/corpus.ts';
import { reject, type ReadItem } from '../readers/read-item.ts';
import {
  compareDocuments,
  type CompareOptions,
  type DocumentDecision,
  type DocumentToCompare,
} from './compare.ts';
import { mapInOrder } from './in-order.ts';
import type { SeenDocuments } from './seen-documents.ts';

export interface CompareCorpusOptions extends CompareOptions {
  readonly corpus: Corpus;
  /** Gets every document that was read. */
  readonly seen: SeenDocuments;
}

/** What a part of the corpus comes to. */
export interface ComparedWindow {
  readonly decisions: readonly DocumentDecision[];
  /** Records that are no documents. */
  readonly deadLetters: readonly DeadLetter[];
  /** Bytes of the sources that it took. */
  readonly bytes: number;
}

/**
 * Documents are compared this many at a time (one lookup takes as many ids), or this much text, whichever is less. The
 * first windows are smaller, each twice the one before: workers need not wait for a thousand documents to be cut.
 */
const WINDOW_DOCUMENTS = { first: 64, most: 1000 };
const WINDOW_CHARACTERS = 4 * 1024 * 1024;
const WINDOW_DEAD_LETTERS = 500;

/**
 * READ -> CHUNK -> COMPARE, a window of documents at a time, in bounded memory and in the order of the corpus. While a
 * window is looked up in the store the next is cut into chunks, and the one after it is read. Writes nothing but `seen`.
 */
export async function* compareCorpus(options: CompareCorpusOptions): AsyncGenerator<ComparedWindow> {
  const noMore = new AbortController();
  const windows = readWindows(options, AbortSignal.any([options.signal, noMore.signal]));
  try {
    yield* mapInOrder(windows, (window) => compareWindow(window, options));
  } finally {
    // Whoever stops early does not wait for a source that is silent.
    noMore.abort();
    await windows.return(undefined).catch(() => undefined);
  }
}

async function* readWindows(
  { corpus, seen }: CompareCorpusOptions,
  signal: AbortSignal,
): AsyncGenerator<Window, void> {
  let window = newWindow();
  let mostDocuments = WINDOW_DOCUMENTS.first;
  for await (const item of corpus.read(signal)) {
    signal.throwIfAborted();
    const known = item.type === 'document' ? withoutDuplicates(item, seen) : item;
    if (known.type === 'progress') window.bytes += known.bytes;
    else if (known.type === 'document') {
      const format = known.format === 'markdown' ? 'markdown' : 'plain';
      window.documents.push({ document: known.document, format });
      window.characters += known.document.text.length;
    } else {
      window.deadLetters.push(known.deadLetter);
      if (known.documentId !== null) seen.protect(known.documentId, known.deadLetter.origin);
    }
    if (!isFull(window, mostDocuments)) continue;
    yield window;
    mostDocuments = Math.min(2 * mostDocuments, WINDOW_DOCUMENTS.most);
    window = newWindow();
  }
  yield window;
}

interface Window {
  readonly documents: DocumentToCompare[];
  readonly deadLetters: DeadLetter[];
  characters: number;
  bytes: number;
}

function newWindow(): Window {
  return { documents: [], deadLetters: [], characters: 0, bytes: 0 };
}

function isFull({ documents, deadLetters, characters }: Window, mostDocuments: number): boolean {
  return (
    documents.length >= mostDocuments ||
    deadLetters.length >= WINDOW_DEAD_LETTERS ||
    characters >= WINDOW_CHARACTERS
  );
}

async function compareWindow(window: Window, options: CompareCorpusOptions): Promise<ComparedWindow> {
  const { documents, deadLetters, bytes } = window;
  const decisions = await compareDocuments(documents, options);
  for (const { document, chunkCount } of decisions) options.seen.setChunkCount(document.id, chunkCount);
  return { decisions, deadLetters, bytes };
}

/** Of two documents with one id the first stays; the other becomes a dead letter that names both places. */
function withoutDuplicates(item: Extract<ReadItem, { type: 'document' }>, seen: SeenDocuments): ReadItem {
  const { document } = item;
  const before = seen.add(document.id, document.origin, document.text.length);
  if (before === null) return item;
  return reject(document.origin, {
    reason: `the id ${JSON.stringify(document.id)} was seen before, at ${placeOf(before)}; the first one stays`,
    documentId: document.id,
    excerpt: document.text,
  });
}

function placeOf({ file, line }: Origin): string {
  return line === undefined ? file : `${file}:${line}`;
}

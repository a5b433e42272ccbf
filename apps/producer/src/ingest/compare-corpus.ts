import { EmbedlineError, type DeadLetter, type Document } from '@embedline/core';
import type { Corpus } from '../readers/corpus.ts';
import { placeOf } from '../readers/reading-notes.ts';
import { reject, type ReadItem } from '../readers/read-item.ts';
import { compareDocuments, type CompareOptions, type DocumentDecision } from './compare.ts';
import type { DocumentToCompare } from './find-unchanged.ts';
import { mapInOrder } from './in-order.ts';
import type { SeenDocuments } from './seen-documents.ts';

export interface CompareCorpusOptions extends CompareOptions {
  readonly corpus: Corpus;
  /** Gets every document that was read. */
  readonly seen: SeenDocuments;
  /** What becomes of a document whose id was seen before. Defaults to `dead-letter`; the corpus itself sees to `last`. */
  readonly onDuplicate?: OnDuplicate | undefined;
}

/** What becomes of documents that have the id of another. */
export type OnDuplicate = 'dead-letter' | 'first' | 'last' | 'fail';

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
  options: CompareCorpusOptions,
  signal: AbortSignal,
): AsyncGenerator<Window, void> {
  const { corpus, seen } = options;
  let window = newWindow();
  let mostDocuments = WINDOW_DOCUMENTS.first;
  for await (const item of corpus.read(signal)) {
    signal.throwIfAborted();
    const known = item.type === 'document' ? withoutDuplicates(item, options) : item;
    if (known === null || known.type === 'note') continue;
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
  const compared = await compareDocuments(documents, options);
  const decisions = compared.filter((decision) => !isInvisible(decision));
  for (const { document, chunkCount } of decisions) options.seen.setChunkCount(document.id, chunkCount);
  const invisible = compared.filter(isInvisible).map(({ document }) => document);
  for (const { id } of invisible) options.seen.setUnread(id);
  return { decisions, deadLetters: [...deadLetters, ...invisible.map(rejectInvisible)], bytes };
}

/** Text of which the model gets no token: embedded, it would be the empty text, which is near to every short query. */
function isInvisible({ document, chunkCount }: DocumentDecision): boolean {
  return chunkCount === 0 && document.text.slice(document.bodyStart ?? 0).trim() !== '';
}

function rejectInvisible({ id, text, origin }: Document): DeadLetter {
  return reject(origin, {
    reason:
      'its text holds nothing that the model can read, only zero-width, control or other invisible characters',
    documentId: id,
    excerpt: text,
  }).deadLetter;
}

/**
 * Of two documents with one id the first stays. The other becomes a dead letter that names both places, unless the user
 * has said what to do. A number and the text that spells it are not meant to be one id, whatever was said.
 * @returns null for one that is passed over
 * @throws EmbedlineError DUPLICATE_ID
 */
function withoutDuplicates(
  item: Extract<ReadItem, { type: 'document' }>,
  { corpus, seen, onDuplicate = 'dead-letter' }: CompareCorpusOptions,
): ReadItem | null {
  const { document, numericId = false } = item;
  const before = seen.add(document.id, document.origin, {
    length: document.text.length,
    isNumeric: numericId,
  });
  if (before === null) return item;
  const id = JSON.stringify(document.id);
  const kinds =
    before.isNumeric === numericId
      ? ''
      : numericId
        ? ' as a text (here it is a number)'
        : ' as a number (here it is a text)';
  const reason = `the id ${id} was seen before${kinds}, at ${placeOf(before.origin)}`;
  if (onDuplicate === 'fail')
    throw new EmbedlineError(
      'DUPLICATE_ID',
      `${placeOf(document.origin)}: ${reason} (--on-duplicate fail). Make the ids different, or say --on-duplicate first or last.`,
    );
  if (onDuplicate === 'first' && kinds === '') {
    corpus.noteDuplicate();
    return null;
  }
  return reject(document.origin, {
    reason: `${reason}; the first one stays`,
    documentId: document.id,
    excerpt: document.text,
  });
}

import type { DeadLetter, GenerationPoints, RunLedger } from '@embedline/core';
import type { Corpus } from '../readers/corpus.ts';
import { reject, type ReadItem } from '../readers/read-item.ts';
import {
  compareDocuments,
  type CompareOptions,
  type DocumentDecision,
  type DocumentToCompare,
} from './compare.ts';
import type { Enqueuer } from './enqueue.ts';
import type { RunCounts } from './run-counts.ts';
import type { SeenDocuments } from './seen-documents.ts';

export interface ProduceOptions extends CompareOptions {
  readonly runId: string;
  readonly runSequence: number;
  readonly corpus: Corpus;
  readonly ledger: RunLedger;
  readonly enqueuer: Enqueuer;
  readonly seen: SeenDocuments;
  readonly counts: RunCounts;
}

/** Documents are compared this many at a time, or this much text, whichever is less. */
const WINDOW_DOCUMENTS = 256;
const WINDOW_CHARACTERS = 4 * 1024 * 1024;

/**
 * READ -> CHUNK -> COMPARE -> BATCH -> ENQUEUE. Unchanged points are not touched; payload changes and vectors that are
 * reused are written here, since they cost no inference; what has to be embedded goes to the workers.
 */
export async function produce(options: ProduceOptions): Promise<void> {
  const { corpus, seen, counts, signal } = options;
  let window: DocumentToCompare[] = [];
  let characters = 0;
  const deadLetters: DeadLetter[] = [];
  const flush = async () => {
    const documents = window;
    window = [];
    characters = 0;
    await settle(await compareDocuments(documents, options), options);
    if (deadLetters.length > 0) await options.ledger.addDeadLetters(options.runId, deadLetters.splice(0));
  };
  for await (const item of corpus.read(signal)) {
    signal.throwIfAborted();
    if (item.type === 'progress') counts.sourceBytesRead += item.bytes;
    const known = item.type === 'document' ? withoutDuplicates(item, seen) : item;
    if (known.type === 'document') {
      counts.documentsRead += 1;
      window.push({ document: known.document, format: known.format === 'markdown' ? 'markdown' : 'plain' });
      characters += known.document.text.length;
    } else if (known.type === 'reject') {
      deadLetters.push(known.deadLetter);
      if (known.documentId !== null) seen.protect(known.documentId, placeOf(known.deadLetter.origin));
    }
    if (window.length >= WINDOW_DOCUMENTS || characters >= WINDOW_CHARACTERS || deadLetters.length >= 500)
      await flush();
  }
  await flush();
  await options.enqueuer.flush();
}

/** Of two documents with one id the first stays; the other becomes a dead letter that names both places. */
function withoutDuplicates(item: Extract<ReadItem, { type: 'document' }>, seen: SeenDocuments): ReadItem {
  const { document } = item;
  const before = seen.add(document.id, placeOf(document.origin));
  if (before === null) return item;
  return reject(document.origin, {
    reason: `the id ${JSON.stringify(document.id)} was seen before, at ${before}; the first one stays`,
    documentId: document.id,
    excerpt: document.text,
  });
}

async function settle(decisions: readonly DocumentDecision[], options: ProduceOptions): Promise<void> {
  const { target, runSequence, signal, counts, seen } = options;
  await writeDirectly(decisions, target, { runSequence, signal });
  for (const decision of decisions) {
    seen.setChunkCount(decision.document.id, decision.chunkCount);
    counts.chunksTotal += decision.chunkCount;
    counts.chunksSkipped += decision.skipped;
    counts.chunksPayloadUpdated += decision.payloadUpdates.length;
    counts.chunksReused += decision.reused.length;
    if (decision.change === 'new') counts.documentsNew += 1;
    else if (decision.change === 'changed') counts.documentsChanged += 1;
    else counts.documentsUnchanged += 1;
    await options.enqueuer.add(decision.toEmbed);
  }
}

async function writeDirectly(
  decisions: readonly DocumentDecision[],
  target: GenerationPoints,
  write: { runSequence: number; signal: AbortSignal },
): Promise<void> {
  const reused = decisions.flatMap((decision) => decision.reused);
  if (reused.length > 0) await target.upsert(reused, write);
  const payloadUpdates = decisions.flatMap((decision) => decision.payloadUpdates);
  if (payloadUpdates.length > 0) await target.updatePayloads(payloadUpdates, write);
}

function placeOf(origin: DeadLetter['origin']): string {
  if (origin === null) return 'an unknown place';
  return origin.line === undefined ? origin.file : `${origin.file}:${origin.line}`;
}

import type { DocumentDecision } from '../ingest/compare.ts';
import type { ComparedWindow } from '../ingest/compare-corpus.ts';
import type { DistinctIds } from '../ingest/seen-documents.ts';

/** Ids of documents, or places of records, of each kind; a few of each. */
export interface Samples {
  readonly new: string[];
  readonly changed: string[];
  readonly metadataOnly: string[];
  readonly removed: string[];
  readonly cut: string[];
  readonly rejected: string[];
}

/** Running counts over a compared corpus. */
export interface Tally {
  readonly documents: {
    read: number;
    new: number;
    /** Those of `metadataOnly` included. */
    changed: number;
    /** Changed, but with no text that would have to be embedded or copied. */
    metadataOnly: number;
    unchanged: number;
    removed: number;
    /** Longer than one chunk. */
    cut: number;
  };
  readonly chunks: {
    total: number;
    embedded: number;
    reused: number;
    skipped: number;
    payloadUpdated: number;
    removed: number;
  };
  /** Points that will be there and are not yet. */
  missing: number;
  /** Tokens to embed, special tokens included. */
  tokens: number;
  /** Tokens of the texts that were cut, and those among them that the model does not know. */
  tokensCut: number;
  tokensUnknown: number;
  /** Records that cannot be read. */
  deadLetters: number;
  readonly samples: Samples;
  /** Counts one more part of the corpus; `texts` holds the texts that are to be embedded already. */
  add(window: ComparedWindow, texts: DistinctIds): void;
}

const SAMPLE_SIZE = 5;

export function newTally(): Tally {
  const tally: Tally = {
    documents: { read: 0, new: 0, changed: 0, metadataOnly: 0, unchanged: 0, removed: 0, cut: 0 },
    chunks: { total: 0, embedded: 0, reused: 0, skipped: 0, payloadUpdated: 0, removed: 0 },
    missing: 0,
    tokens: 0,
    tokensCut: 0,
    tokensUnknown: 0,
    deadLetters: 0,
    samples: { new: [], changed: [], metadataOnly: [], removed: [], cut: [], rejected: [] },
    add: ({ decisions, deadLetters }, texts) => {
      for (const decision of decisions) {
        countDocument(decision, tally);
        countChunks(decision, texts, tally);
        tally.tokensCut += decision.tokensCut;
        tally.tokensUnknown += decision.tokensUnknown;
      }
      tally.deadLetters += deadLetters.length;
      for (const { origin, reason } of deadLetters) {
        const place = `${origin?.file ?? '?'}${origin?.line === undefined ? '' : `:${origin.line}`}`;
        note(tally.samples.rejected, `${place}: ${reason}`);
      }
    },
  };
  return tally;
}

function countDocument(decision: DocumentDecision, { documents, samples }: Tally): void {
  const { document, change, chunkCount, toEmbed, reused } = decision;
  documents.read += 1;
  documents[change] += 1;
  if (change !== 'unchanged') note(samples[change], document.id);
  if (change === 'changed' && toEmbed.length === 0 && reused.length === 0) {
    documents.metadataOnly += 1;
    note(samples.metadataOnly, document.id);
  }
  if (chunkCount < 2) return;
  documents.cut += 1;
  note(samples.cut, `${document.id} (${chunkCount} chunks)`);
}

function countChunks(decision: DocumentDecision, texts: DistinctIds, tally: Tally): void {
  const { chunks } = tally;
  chunks.total += decision.chunkCount;
  tally.missing += decision.missing;
  chunks.skipped += decision.skipped;
  chunks.payloadUpdated += decision.payloadUpdates.length;
  chunks.reused += decision.reused.length;
  for (const { textHash, tokens } of decision.toEmbed) {
    if (texts.add(textHash)) {
      chunks.embedded += 1;
      tally.tokens += tokens;
    } else chunks.reused += 1;
  }
}

function note(sample: string[], what: string): void {
  if (sample.length < SAMPLE_SIZE) sample.push(what);
}

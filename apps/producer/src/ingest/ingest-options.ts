import type { BatchQueue, RunLedger, RunSpec, SigningKeys } from '@embedline/core';
import type { Corpus } from '../readers/corpus.ts';
import type { OnDuplicate } from './compare-corpus.ts';
import type { ClaimOptions } from './claim-target.ts';
import type { CompareOptions } from './compare.ts';
import type { QueueLimits } from './queue-limits.ts';
import type { LocalWorkers } from './local-workers.ts';

/** What one run needs, opened already. */
export interface IngestOptions extends ClaimOptions {
  readonly ledger: RunLedger;
  readonly queue: BatchQueue;
  /** As those of ledger and queue. Defaults to none. */
  readonly signingKeys?: SigningKeys | null | undefined;
  readonly corpus: Corpus;
  /** Defaults to `dead-letter`. */
  readonly onDuplicate?: OnDuplicate | undefined;
  readonly chunk: CompareOptions['chunk'];
  /** Whether titles are embedded above their texts. Defaults to false. */
  readonly embedTitle?: boolean;
  readonly queueLimits: QueueLimits;
  /** Largest share of the points that readers see which a run may take away, whatever the cause, 0 to 1. */
  readonly maxDeleteShare: number;
  /** Largest share of the chunks of a new generation that may have been given up on when it is published, 0 to 1. */
  readonly maxGivenUpShare: number;
  /** Delete vanished documents even though some records could not be read. */
  readonly sweepIncomplete: boolean;
  /** Generations kept for rollback besides the live one. */
  readonly keepGenerations: number;
  /** Starts the workers of this ingest, once it is known that there is something to do. */
  readonly startWorkers: (run: RunSpec) => LocalWorkers | null;
  readonly onStart: (run: RunSpec) => void;
}

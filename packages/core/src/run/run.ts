import type { ModelSpec } from '../embedder/embedder.ts';
import type { FormatVersion } from '../format-version.ts';
import type { Outage } from '../outages.ts';
import type { StoreKind } from '../vector-store/vector-store.ts';

/**
 * What a run is, fixed at its start and kept in Redis; workers read it from there. It names its model by id and hash
 * and its generation by name and identity: a worker resolves both against its own configuration.
 */
export interface RunSpec {
  readonly version: FormatVersion;
  readonly runId: string;
  readonly pipeline: string;
  readonly collection: string;
  readonly storeKind: StoreKind;
  readonly generation: { readonly collection: string; readonly name: string; readonly identity: string };
  readonly model: ModelSpec;
  /** Present when each chunk's title is embedded above its text. */
  readonly embedTitle?: true;
  /** Rises with every run of any pipeline; a write of an older run never replaces that of a newer one. */
  readonly runSequence: number;
  /** Milliseconds since the epoch, by the clock of Redis. */
  readonly startedAtMs: number;
}

/** How a run can end. */
export type EndedState = 'done' | 'failed' | 'interrupted' | 'cancelled';

/**
 * `running` until it ended. `lost` is not stored but found out (see observed-runs.ts): the run has not ended, and its
 * producer is gone. `unknown` is a state that a newer version wrote.
 */
export type RunState = 'running' | EndedState | 'lost' | 'unknown';

/** Where a running run is. Sealed (all batches are known) from `embedding` on. */
export type RunStage = 'reading' | 'embedding' | 'sweeping' | 'publishing' | 'ended';

/** Counted by the producer alone: absolute values, written over and over. */
export interface ProducerCounts {
  readonly documentsRead: number;
  readonly documentsNew: number;
  readonly documentsChanged: number;
  readonly documentsUnchanged: number;
  readonly documentsRemoved: number;
  /** Chunks that the corpus consists of, as far as it has been read. */
  readonly chunksTotal: number;
  readonly chunksSkipped: number;
  readonly chunksReused: number;
  readonly chunksPayloadUpdated: number;
  readonly chunksRemoved: number;
  /** Points that keep an older text, marked as stale, because their replacement was given up on. */
  readonly chunksKeptStale: number;
  /** Records that could not be read. */
  readonly recordsRejected: number;
  /** Tokens of the texts that were cut in this run, which are those of new and changed documents. */
  readonly tokensCut: number;
  /** Tokens among them that stand for what is not in the model's vocabulary. */
  readonly tokensUnknown: number;
  /** Chunks handed to the queue, to be embedded. */
  readonly chunksEnqueued: number;
  readonly batchesTotal: number;
  readonly bytesEnqueued: number;
  /** For the share of the corpus that has been read; 0 when the size is not known (stdin). */
  readonly sourceBytesRead: number;
  readonly sourceBytesTotal: number;
}

export const NO_PRODUCER_COUNTS: ProducerCounts = Object.freeze({
  documentsRead: 0,
  documentsNew: 0,
  documentsChanged: 0,
  documentsUnchanged: 0,
  documentsRemoved: 0,
  chunksTotal: 0,
  chunksSkipped: 0,
  chunksReused: 0,
  chunksPayloadUpdated: 0,
  chunksRemoved: 0,
  chunksKeptStale: 0,
  recordsRejected: 0,
  tokensCut: 0,
  tokensUnknown: 0,
  chunksEnqueued: 0,
  batchesTotal: 0,
  bytesEnqueued: 0,
  sourceBytesRead: 0,
  sourceBytesTotal: 0,
});

/** What one finished batch adds; a function of the batch, not of the attempt that finished it. */
export interface BatchResult {
  readonly chunksEmbedded: number;
  readonly tokensEmbedded: number;
  /** Chunks whose end the model did not get. Absent for none. */
  readonly chunksTruncated?: number;
  readonly bytes: number;
}

/** Counted by the workers, once per batch however often it was delivered. */
export interface WorkerCounts {
  readonly batchesDone: number;
  readonly chunksEmbedded: number;
  readonly tokensEmbedded: number;
  /** Chunks that were longer than the model takes: 0 for all that embedline cut itself. */
  readonly chunksTruncated: number;
  /** Chunks that became dead letters; a batch whose job is not readable counts as one. */
  readonly chunksGivenUp: number;
  readonly bytesDone: number;
}

/** Everything that is known of a run at one moment. */
export interface RunProgress {
  readonly spec: RunSpec;
  readonly state: RunState;
  readonly stage: RunStage;
  readonly sealed: boolean;
  readonly producer: ProducerCounts;
  readonly workers: WorkerCounts;
  /** Jobs that were dropped, since embedline did not put them there: something else writes to this Redis. */
  readonly jobsRefused: number;
  /** Distinct dead letters, of the producer and of the workers. */
  readonly deadLetters: number;
  /** The same by code; empty for a run of version 0.1.0. */
  readonly deadLettersByCode: Readonly<Record<string, number>>;
  readonly endedAtMs: number | null;
  /** Since its start, by the clock of Redis. */
  readonly elapsedMs: number;
  /** Of a run that is lost, for people but for the first: the last sign of life of its producer (null when not known). */
  readonly lost?: { readonly sinceMs: number | null; readonly reason: string; readonly remedy: string };
  /** Why it failed, was interrupted or is lost, for people. */
  readonly message: string | null;
  /** What the producer waits for, e.g. a store that does not answer; null when it goes on. */
  readonly waitingFor: Outage | null;
  /** Chunks embedded per second, by the clock of Redis: over the last minute while it runs, then over the whole run. */
  readonly chunksPerSecond: number;
  readonly byWorker: readonly {
    readonly workerId: string;
    readonly batches: number;
    readonly chunks: number;
  }[];
}

/** True when every batch of a sealed run is done. A queue that is empty says nothing (hazards 0.8). */
export function isComplete(run: RunProgress): boolean {
  return run.sealed && run.workers.batchesDone >= run.producer.batchesTotal;
}

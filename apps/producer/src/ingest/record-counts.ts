import { isEmbedlineError, type RunLedger } from '@embedline/core';
import type { RunCounts } from './run-counts.ts';

const EVERY_MS = 300;

/** Writes the producer's counters to the run's record while it works. */
export interface Recording {
  /** Fires, with the reason, when the record is gone. */
  readonly signal: AbortSignal;
  close(): Promise<void>;
}

export function recordCounts(ledger: RunLedger, runId: string, counts: RunCounts): Recording {
  const lost = new AbortController();
  let writing: Promise<void> | null = null;
  const timer = setInterval(() => {
    writing ??= ledger
      .recordProducer(runId, counts)
      .catch((error: unknown) => {
        // A Redis that is away or full for a while is waited out; the next write says more than this one.
        if (!isEmbedlineError(error) || !error.retryable) lost.abort(error);
      })
      .finally(() => (writing = null));
  }, EVERY_MS);
  return {
    signal: lost.signal,
    close: async () => {
      clearInterval(timer);
      await writing;
    },
  };
}

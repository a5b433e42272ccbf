import { setTimeout as delay } from 'node:timers/promises';
import { isComplete, type RunLedger, type RunProgress } from '@embedline/core';
import type { RunCounts } from './run-counts.ts';
import { runLost, type UnfinishedBatches } from './unfinished-batches.ts';

export interface WaitOptions {
  readonly runId: string;
  readonly ledger: RunLedger;
  readonly unfinished: UnfinishedBatches;
  readonly counts: RunCounts;
  readonly signal: AbortSignal;
}

const POLL_MS = 150;

/**
 * Seals a run, all of whose batches are queued, and waits until every one is done.
 * @throws EmbedlineError RUN_LOST, RUN_SUPERSEDED, RUN_CANCELLED
 */
export async function waitForBatches(options: WaitOptions): Promise<RunProgress> {
  const { runId, ledger, unfinished, counts, signal } = options;
  await ledger.seal(runId, counts);
  for (;;) {
    const progress = await ledger.progress(runId);
    if (progress === null) throw runLost(runId);
    if (progress.state !== 'running') await ledger.assertRunning(runId);
    if (isComplete(progress)) return progress;
    // Redis had acknowledged the seal, and has lost it since.
    if (!progress.sealed) await ledger.seal(runId, counts);
    await unfinished.mend();
    await delay(POLL_MS, undefined, { signal });
  }
}

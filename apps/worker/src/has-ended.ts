import type { RunLedger } from '@embedline/core';

/** True also for a run whose record is gone; false when it cannot be told. */
export async function hasEnded(runId: string, ledger: RunLedger): Promise<boolean> {
  try {
    const run = await ledger.progress(runId);
    return run === null || run.endedAtMs !== null;
  } catch {
    return false;
  }
}

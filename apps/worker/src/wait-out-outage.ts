import { setTimeout as delay } from 'node:timers/promises';
import { isEmbedlineError } from '@embedline/core';

export interface OutageOptions {
  readonly signal: AbortSignal;
  /** Told when waiting begins and when it ends (null); for the heartbeat and the log. */
  readonly onWaiting: (error: Error | null) => void;
  /** Longest pause between two tries. Defaults to 15,000. */
  readonly maxDelayMs?: number;
}

/**
 * Repeats an idempotent operation for as long as it fails because a service is down (a retryable error). An outage
 * costs time, never a batch's attempts. Other errors are thrown at once.
 */
export async function waitOutOutage<T>(operation: () => Promise<T>, options: OutageOptions): Promise<T> {
  const { signal, onWaiting, maxDelayMs = 15_000 } = options;
  let waiting = false;
  for (let delayMs = 500; ; delayMs = Math.min(delayMs * 2, maxDelayMs)) {
    try {
      const result = await operation();
      if (waiting) onWaiting(null);
      return result;
    } catch (error) {
      if (signal.aborted || !isEmbedlineError(error) || !error.retryable) {
        if (waiting) onWaiting(null);
        throw error;
      }
      onWaiting(error);
      waiting = true;
      await delay(delayMs * (0.5 + Math.random() / 2), undefined, { signal });
    }
  }
}

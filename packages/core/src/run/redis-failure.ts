import { setTimeout as delay } from 'node:timers/promises';
import { EmbedlineError, messageOf } from '../errors.ts';

/** A refused write is repeated for so long, which is as long as a connection waits for a Redis that is away. */
const PATIENCE_MS = 60_000;

/** What Redis says while it is up but cannot take writes for now, in words for people; null for any other error. */
export function refusalReason(error: unknown): string | null {
  const message = messageOf(error);
  // Redis 6 puts the word behind the name of the script, Redis 7 in front.
  if (/(^|-)OOM /.test(message)) return 'Redis is at its maxmemory';
  if (/^(READONLY|LOADING|MASTERDOWN|MISCONF|CLUSTERDOWN|TRYAGAIN)/.test(message))
    return `Redis takes no writes (${message})`;
  return null;
}

/**
 * Repeats an idempotent write while Redis refuses writes, for a minute at most: a full Redis costs time, not a run.
 * @throws the last error
 */
export async function waitOutRefusals<T>(write: () => Promise<T>): Promise<T> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (let delayMs = 250; ; delayMs = Math.min(delayMs * 2, 5_000)) {
    try {
      return await write();
    } catch (error) {
      if (refusalReason(error) === null || Date.now() + delayMs > deadlineMs) throw error;
      await delay(delayMs);
    }
  }
}

/** The error for people behind anything that a Redis connection throws. An EmbedlineError is passed on as it is. */
export function redisFailure(doing: string, cause: unknown): EmbedlineError {
  if (cause instanceof EmbedlineError) return cause;
  return new EmbedlineError(
    'REDIS_UNREACHABLE',
    `${doing} failed: ${refusalReason(cause) ?? messageOf(cause)}. Check that Redis runs and has memory to spare; ` +
      `then ingest again: that costs only the difference.`,
    { cause, retryable: true },
  );
}

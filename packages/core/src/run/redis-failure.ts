import { setTimeout as delay } from 'node:timers/promises';
import { EmbedlineError, messageOf } from '../errors.ts';
import { isRefusedByRights } from '../redis/rights.ts';

/** A refused write is repeated for so long, which is as long as a connection waits for a Redis that is away. */
const PATIENCE_MS = 60_000;

/** What Redis says first while it is up but takes no writes for now, in words for people. */
const REFUSALS: Readonly<Record<string, string>> = {
  OOM: 'Redis is at its maxmemory',
  READONLY: 'Redis takes no writes: it is a replica, as after a failover',
  LOADING: 'Redis takes no writes: it is loading its data from disk',
  MASTERDOWN: 'Redis takes no writes: it is a replica that has lost its primary',
  MISCONF:
    'Redis takes no writes: it cannot save its data to disk; look at its log, and at the free space there',
  NOREPLICAS: 'Redis takes no writes: fewer replicas follow it than min-replicas-to-write asks for',
  CLUSTERDOWN: 'Redis takes no writes: the cluster is down, or without an owner for our keys',
  TRYAGAIN: 'Redis takes no writes: our keys are being moved to another node',
};

/** What Redis says while it is up but cannot take writes for now, in words for people; null for any other error. */
export function refusalReason(error: unknown): string | null {
  const message = messageOf(error);
  // Redis 6 puts the word behind the name of the script, Redis 7 in front.
  if (/(^|-)OOM /.test(message)) return REFUSALS['OOM'] ?? null;
  const word = /^-?([A-Z]+)/.exec(message)?.[1] ?? '';
  const reason = Object.hasOwn(REFUSALS, word) ? REFUSALS[word] : undefined;
  return reason === undefined ? null : `${reason} (${word})`;
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
  if (isRefusedByRights(cause))
    return new EmbedlineError(
      'REDIS_FORBIDDEN',
      `${doing} failed: this user of Redis may not do that (${messageOf(cause)}). Name another user in REDIS_URL, or give this one ` +
        `the rights that SECURITY.md lists.`,
      { cause },
    );
  return new EmbedlineError(
    'REDIS_UNREACHABLE',
    `${doing} failed: ${refusalReason(cause) ?? messageOf(cause)}. Check that Redis runs and takes writes (embedline doctor); ` +
      `then ingest again: that costs only the difference.`,
    { cause, retryable: true },
  );
}

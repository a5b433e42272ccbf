import { setTimeout as delay } from 'node:timers/promises';
import { isEmbedlineError, messageOf } from '@embedline/core';

export interface WaitForRedisOptions {
  /** Told at every try why Redis cannot be used yet. */
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

const RETRY_MS = 2_000;

/**
 * Opens Redis, however long it is away.
 * @returns null when the signal fires first
 * @throws what will not pass by itself, as a wrong password
 */
export async function waitForRedis<T>(
  open: () => Promise<T>,
  { warn, signal }: WaitForRedisOptions,
): Promise<T | null> {
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (signal.aborted) return null;
      if (!isPassing(error)) throw error;
      warn(`${messageOf(error)} Ingests begin when it can be used.`);
      const waited = await delay(RETRY_MS, true, { signal }).catch(() => false);
      if (!waited) return null;
    }
  }
}

/** False for what Redis itself has answered: asking again would not change it. */
function isPassing(error: unknown): boolean {
  if (isEmbedlineError(error)) return error.retryable;
  return error instanceof Error && error.name !== 'ReplyError';
}

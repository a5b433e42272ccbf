import { setTimeout as delay } from 'node:timers/promises';
import { failureOf, isBrokenConnection, isTransient } from './qdrant-errors.ts';

export interface RetryOptions {
  /** Calls in all. Defaults to 6. */
  readonly attempts?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Waits at least so long, as the server asked for; 0 when it did not. */
  readonly serverDelayMs: () => number;
  /** Defaults to a timer. Tests put a clock of their own here. */
  readonly sleep?: ((delayMs: number, signal?: AbortSignal) => Promise<void>) | undefined;
  /** Defaults to Math.random. */
  readonly random?: (() => number) | undefined;
}

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;

/**
 * Repeats a call that failed for a passing reason, with full jitter (Brooker, "Exponential Backoff And Jitter", 2015).
 * Every call of the adapter is idempotent. The last error is thrown as it is.
 */
export async function withRetries<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { attempts = 6, signal, sleep = timer, random = Math.random } = options;
  for (let attempt = 1, limitMs = FIRST_DELAY_MS; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await abortable(call(), signal);
    } catch (error) {
      signal?.throwIfAborted();
      const failure = failureOf(error);
      if (!isTransient(failure) || attempt >= attempts) throw error;
      // A kept-alive connection that the server had closed: at once, the first time.
      if (attempt === 1 && isBrokenConnection(failure)) continue;
      await sleep(Math.max(options.serverDelayMs(), random() * limitMs), signal);
      limitMs = Math.min(limitMs * 2, MAX_DELAY_MS);
    }
  }
}

/** The client cannot break a request off; its answer is then of no interest. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function timer(delayMs: number, signal?: AbortSignal): Promise<void> {
  await delay(delayMs, undefined, signal === undefined ? {} : { signal });
}

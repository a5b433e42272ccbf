import { setTimeout as delay } from 'node:timers/promises';
import { isEmbedlineError, messageOf } from './errors.ts';

/** How a failure of a service is taken: waited out, or passed on at once. */
export interface Patience {
  /**
   * Does an idempotent operation.
   * @throws errors that repeating cannot mend, at once; the signal's reason
   */
  waitOut<T>(operation: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** For a person who waits for an answer, and for whom an error is one. */
export const IMPATIENT: Patience = Object.freeze({
  waitOut: <T>(operation: () => Promise<T>) => operation(),
});

/** A service that is away, and since when. */
export interface Outage {
  readonly reason: string;
  readonly sinceMs: number;
}

export interface OutagesOptions {
  /** Told at every try that fails, and once when nothing waits any more (null), unless by being told to stop. */
  readonly onChange: (outage: Outage | null) => void;
  /** Longest pause between two tries. Defaults to 10,000. */
  readonly maxDelayMs?: number;
}

const FIRST_DELAY_MS = 250;

/**
 * Repeats operations for as long as they fail because a service is down (a retryable error): an outage costs time,
 * never a batch or a run. Several operations that wait at once are one outage.
 */
export class Outages implements Patience {
  readonly #options: OutagesOptions;
  #waiting = 0;
  #sinceMs = 0;

  constructor(options: OutagesOptions) {
    this.#options = options;
  }

  async waitOut<T>(operation: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      if (!isPassing(error, signal)) throw error;
      return this.#repeat(operation, error, signal);
    }
  }

  async #repeat<T>(operation: () => Promise<T>, first: unknown, signal?: AbortSignal): Promise<T> {
    const { maxDelayMs = 10_000 } = this.#options;
    this.#waiting += 1;
    if (this.#waiting === 1) this.#sinceMs = Date.now();
    try {
      let error = first;
      for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, maxDelayMs)) {
        this.#options.onChange({ reason: messageOf(error), sinceMs: this.#sinceMs });
        await delay(delayMs * (0.5 + Math.random() / 2), undefined, signal === undefined ? {} : { signal });
        try {
          return await operation();
        } catch (next) {
          if (!isPassing(next, signal)) throw next;
          error = next;
        }
      }
    } finally {
      this.#waiting -= 1;
      // Who gives up waiting does not know that what was waited for is back.
      if (this.#waiting === 0 && signal?.aborted !== true) this.#options.onChange(null);
    }
  }
}

function isPassing(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted !== true && isEmbedlineError(error) && error.retryable;
}

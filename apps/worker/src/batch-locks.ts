import type { TakenBatch } from './run-queue.ts';

export interface BatchLocksOptions {
  readonly lockDurationMs: number;
  /** Told of batches that other workers may have by now. */
  readonly onLost: (jobIds: readonly string[]) => void;
  /** Told when locks could not be renewed for now. */
  readonly onError: (error: unknown) => void;
}

/** A batch whose lock is renewed. */
export interface HeldBatch {
  /** Fires when the lock was lost: another worker does the batch again, and this one must not write any more. */
  readonly signal: AbortSignal;
  /** Says that the batch is about to be settled: a lock that is gone from now on was given up, not lost. */
  settle(): void;
  /** Ends the renewal. Idempotent. */
  release(): void;
}

/** Renews the locks of the batches under way, three times in the time that they last. */
export class BatchLocks {
  readonly #options: BatchLocksOptions;
  readonly #held = new Map<TakenBatch, AbortController>();
  readonly #settling = new Set<TakenBatch>();
  readonly #timer: NodeJS.Timeout;
  #renewing = false;

  constructor(options: BatchLocksOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#renew(), options.lockDurationMs / 3);
  }

  hold(batch: TakenBatch): HeldBatch {
    const lost = new AbortController();
    this.#held.set(batch, lost);
    return {
      signal: lost.signal,
      settle: () => void this.#settling.add(batch),
      release: () => {
        this.#held.delete(batch);
        this.#settling.delete(batch);
      },
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** While Redis is away, one renewal waits for it, not one for each interval. */
  async #renew(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    const batches = [...this.#held.keys()];
    const renewed = await Promise.all(batches.map((batch) => this.#renewOne(batch)));
    this.#renewing = false;
    const isOurs = (batch: TakenBatch) => this.#held.has(batch) && !this.#settling.has(batch);
    const lost = batches.filter((batch, index) => renewed[index] === false && isOurs(batch));
    for (const batch of lost) this.#held.get(batch)?.abort(new Error('lock lost'));
    if (lost.length > 0) this.#options.onLost(lost.map(({ id }) => id));
  }

  async #renewOne(batch: TakenBatch): Promise<boolean> {
    try {
      return await batch.renew();
    } catch (error) {
      this.#options.onError(error);
      return true;
    }
  }
}

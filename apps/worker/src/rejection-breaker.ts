import { EmbedlineError, isEmbedlineError, messageOf } from '@embedline/core';

/** So many points in a row, each refused on its own, are taken for a fault of the store and not of the points. */
const MAX_REJECTED_IN_A_ROW = 32;

/**
 * Tells "these points are bad" from "the store takes none", e.g. since somebody changed its limits. Once it is open,
 * points are no longer given up on: the work waits until one is taken.
 */
export class RejectionBreaker {
  #rejectedInARow = 0;

  /**
   * @param count points that are written
   * @throws EmbedlineError STORE_REJECTED for a bad point; STORE_UNREACHABLE, retryable, while the breaker is open
   */
  async watch(count: number, write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.#rejectedInARow = 0;
    } catch (error) {
      if (!isEmbedlineError(error, 'STORE_REJECTED')) throw error;
      if (count === 1) this.#rejectedInARow += 1;
      if (this.#rejectedInARow <= MAX_REJECTED_IN_A_ROW) throw error;
      throw new EmbedlineError(
        'STORE_UNREACHABLE',
        `The store has refused every one of the last ${this.#rejectedInARow} points, so the fault is taken to be its own: ` +
          messageOf(error),
        { cause: error, retryable: true },
      );
    }
  }
}

import { pointId } from '@embedline/core';
import type { DocumentDecision } from '../ingest/compare.ts';

/**
 * A uniform random sample of the chunks of a corpus of unknown size, in bounded memory (reservoir sampling; Vitter,
 * "Random sampling with a reservoir", algorithm R, 1985).
 */
export class ChunkSample {
  readonly #size: number;
  readonly #random: () => number;
  readonly #ids: string[] = [];
  #offered = 0;

  /** @param random 0 to 1, without 1; for tests */
  constructor(size: number, random: () => number = Math.random) {
    this.#size = size;
    this.#random = random;
  }

  /** Offers every chunk of a document. */
  offer(pipeline: string, { document, chunkCount }: Pick<DocumentDecision, 'document' | 'chunkCount'>): void {
    for (let index = 0; index < chunkCount; index += 1) {
      this.#offered += 1;
      const slot =
        this.#offered <= this.#size ? this.#ids.length : Math.floor(this.#random() * this.#offered);
      if (slot < this.#size) this.#ids[slot] = pointId(pipeline, document.id, index);
    }
  }

  /** Ids of their points. */
  get ids(): readonly string[] {
    return this.#ids;
  }
}

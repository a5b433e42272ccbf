import { giveUpChunk, type ChunkRecord, type GenerationPoints, type GivenUpChunk } from '@embedline/core';
import { vectorsByTextHash } from './vectors-by-text-hash.ts';

export interface RepeatedTextsOptions {
  /** Where the run writes. */
  readonly target: GenerationPoints;
  readonly runSequence: number;
  readonly signal: AbortSignal;
}

/** Texts on their way that are remembered, at most twice as many; older ones have landed, and are found by their hash. */
const MAX_RECENT = 25_000;
/** Chunks that wait for the vector of an equal text; beyond, a text is rather embedded twice than memory filled. */
const MAX_WAITING = 5_000;

/**
 * Texts that occur again while their first occurrence is still on its way to a worker. They wait, and take its vector
 * once it has landed, so that boilerplate is embedded once.
 */
export class RepeatedTexts {
  readonly #options: RepeatedTextsOptions;
  #recent = new Set<string>();
  #older = new Set<string>();
  #waiting: ChunkRecord[] = [];

  constructor(options: RepeatedTextsOptions) {
    this.#options = options;
  }

  /** @returns true when the chunk waits for an equal text; false when it has to be embedded, which is noted */
  putOff(chunk: ChunkRecord): boolean {
    const { textHash } = chunk;
    const isRepeated = this.#recent.has(textHash) || this.#older.has(textHash);
    if (isRepeated && this.#waiting.length < MAX_WAITING) {
      this.#waiting.push(chunk);
      return true;
    }
    if (this.#recent.size >= MAX_RECENT) {
      this.#older = this.#recent;
      this.#recent = new Set();
    }
    this.#recent.add(textHash);
    return false;
  }

  /** Writes the chunks whose vector has landed by now. @returns how many */
  async settle(): Promise<number> {
    if (this.#waiting.length === 0) return 0;
    const { target, runSequence, signal } = this.#options;
    const hashes = this.#waiting.map(({ textHash }) => textHash);
    const vectors = await vectorsByTextHash(hashes, target, signal);
    const points = this.#waiting.flatMap((chunk) => {
      const vector = vectors.get(chunk.textHash);
      return vector === undefined ? [] : [{ chunk, vector }];
    });
    this.#waiting = this.#waiting.filter(({ textHash }) => !vectors.has(textHash));
    await target.upsert(points, { runSequence, signal });
    return points.length;
  }

  /** After all batches are done: what still waits shares the fate of its first occurrence. */
  giveUp(runId: string): GivenUpChunk[] {
    const reason = 'an equal text could not be embedded in this run: see its dead letter';
    return this.#waiting
      .splice(0)
      .map((chunk) =>
        giveUpChunk(chunk, { runId, stage: 'embed', code: 'EMBEDDING_FAILED', reason, attempts: 0 }),
      );
  }
}

import type { Embedder, ModelSpec } from '@embedline/core';
import { Lending, type Loan } from './lending.ts';

export interface ModelTurnsOptions {
  readonly open: (model: ModelSpec) => Promise<Embedder>;
  /** Models open at a time: each costs hundreds of megabytes, and the cores are the same. */
  readonly maxOpen: number;
  /** Milliseconds that a model is used before it makes room for one that others wait for. */
  readonly turnMs: number;
}

/**
 * The models of a worker, lent to its batches. When runs want more models than may be open, they take turns: the one that
 * has been open the longest takes no more batches, is closed when its last one is done, and makes room for the one that
 * has been waited for the longest.
 */
export class ModelTurns {
  readonly #options: ModelTurnsOptions;
  readonly #models: Lending<Embedder>;
  readonly #openedAtMs = new Map<string, number>();
  /** Those that had to wait for their turn, in the order in which they asked. */
  readonly #waiting = new Set<string>();
  /** Takes no more batches. */
  #leaving: string | null = null;

  constructor(options: ModelTurnsOptions) {
    this.#options = options;
    this.#models = new Lending({ maxIdle: options.maxOpen });
  }

  isOpen(model: ModelSpec): boolean {
    return this.#models.has(keyOf(model));
  }

  /** The model for one batch; null while it is not its turn: then ask again. */
  borrow(model: ModelSpec): Loan<Embedder> | null {
    const key = keyOf(model);
    if (!this.#admits(key)) return null;
    this.#waiting.delete(key);
    if (!this.#models.has(key)) this.#begin(key);
    const loan = this.#models.borrow(key, () => this.#options.open(model));
    return {
      value: () => loan.value(),
      release: () => {
        loan.release();
        this.#letGo();
      },
    };
  }

  /** Forgets those that wait for their turn and have no batches any more. */
  retain(models: readonly ModelSpec[]): void {
    const wanted = new Set(models.map(keyOf));
    for (const key of this.#waiting) if (!wanted.has(key)) this.#waiting.delete(key);
  }

  close(): Promise<void> {
    return this.#models.close();
  }

  #admits(key: string): boolean {
    if (this.#models.has(key)) return key !== this.#leaving;
    this.#waiting.add(key);
    const [first] = this.#waiting.keys();
    if (first !== key) return false;
    if (this.#models.keys.length < this.#options.maxOpen) return true;
    const [idle] = this.#models.idle();
    if (idle === undefined) this.#askToLeave();
    else this.#forget(idle);
    return idle !== undefined;
  }

  #begin(key: string): void {
    this.#openedAtMs.set(key, Date.now());
    if (this.#leaving === key) this.#leaving = null;
  }

  #askToLeave(): void {
    const open = this.#models.keys.map((key) => ({ key, atMs: this.#openedAtMs.get(key) ?? 0 }));
    const oldest = open.sort((a, b) => a.atMs - b.atMs)[0];
    if (oldest !== undefined && Date.now() - oldest.atMs >= this.#options.turnMs) this.#leaving = oldest.key;
  }

  /** Closes the model that leaves once nobody uses it. */
  #letGo(): void {
    if (this.#leaving !== null && this.#models.idle().includes(this.#leaving)) this.#forget(this.#leaving);
  }

  #forget(key: string): void {
    this.#models.evict(key);
    this.#openedAtMs.delete(key);
    if (this.#leaving === key) this.#leaving = null;
  }
}

/** Everything that decides which vector a text gets: see sameModel. */
export function keyOf(model: ModelSpec): string {
  const { id, hash, dtype, pooling, dimensions, maxTokens, passagePrefix, queryPrefix } = model;
  const { engine = 'onnxruntime', arithmeticVersion } = model;
  return JSON.stringify([
    id,
    hash,
    engine,
    arithmeticVersion,
    dtype,
    pooling,
    dimensions,
    maxTokens,
    passagePrefix,
    queryPrefix,
  ]);
}

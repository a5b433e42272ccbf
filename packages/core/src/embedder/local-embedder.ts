import { availableParallelism } from 'node:os';
import { EmbedlineError } from '../errors.ts';
import type { Embedder, Embeddings, EmbedOptions, ModelSpec } from './embedder.ts';
import { ChildDied, InferenceChild, type EmbeddedBatch } from './inference-child.ts';
import type { InferenceSettings } from './inference-protocol.ts';
import type { ResolvedModel } from './model-files.ts';

export interface LocalEmbedderOptions {
  readonly model: ResolvedModel;
  /** Inference processes. Defaults to the cores this process may use. */
  readonly processes?: number | undefined;
  /** Threads within each. Defaults to 1: one single-threaded process per core is the fastest (performance notes). */
  readonly threadsPerProcess?: number | undefined;
  /** Tokens that go through the network together. Defaults to 512. */
  readonly microBatchTokens?: number | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** A call is sent to at most so many processes, one after another, before its texts are held to be the cause. */
const MAX_PROCESSES_PER_CALL = 2;
/** So many processes in a row that die before they are ready mean that starting another is no use. */
const MAX_FAILED_STARTS = 3;

/** Embeds in long-lived child processes on this machine; see inference-process.ts. Ready when the model is loaded. */
export async function createLocalEmbedder(options: LocalEmbedderOptions): Promise<LocalEmbedder> {
  const embedder = new LocalEmbedder(options);
  try {
    await embedder.start();
    return embedder;
  } catch (error) {
    await embedder.close();
    throw error;
  }
}

export class LocalEmbedder implements Embedder {
  readonly model: ModelSpec;
  readonly #settings: InferenceSettings;
  readonly #onWarning: (message: string) => void;
  readonly #children: InferenceChild[];
  #failedStarts = 0;
  #lastId = 0;
  #closed = false;

  constructor(options: LocalEmbedderOptions) {
    const { spec, directory, weightsFile } = options.model;
    const { dimensions, maxTokens, pooling } = spec;
    this.model = spec;
    this.#onWarning = options.onWarning ?? (() => undefined);
    this.#settings = {
      directory,
      weightsFile,
      dimensions,
      maxTokens,
      pooling,
      threads: options.threadsPerProcess ?? 1,
      microBatchTokens: options.microBatchTokens ?? 512,
    };
    const count = options.processes ?? availableParallelism();
    this.#children = Array.from({ length: count }, () => new InferenceChild(this.#settings));
  }

  /** Waits until every process has loaded the model. */
  async start(): Promise<void> {
    const [first] = await Promise.all(this.#children.map((child) => child.ready));
    if (first?.batchInvariant === false) {
      this.#onWarning(
        `Model ${this.model.id} (${this.model.dtype}) gives a text another vector in other company: ` +
          `texts are embedded one at a time, which is slower but reproducible.`,
      );
    }
  }

  /** Process ids of the inference processes, for tests and diagnosis. */
  get processIds(): readonly number[] {
    return this.#children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  async embed(texts: readonly string[], { signal }: EmbedOptions = {}): Promise<Embeddings> {
    if (texts.length === 0) return { vectors: [], tokens: [] };
    const distinct = [...new Set(texts)];
    const answer = await this.#embedDistinct(distinct, signal);
    const { dimensions } = this.model;
    const positions = new Map(distinct.map((text, position) => [text, position]));
    const vectors = distinct.map((_, index) =>
      answer.vectors.subarray(index * dimensions, (index + 1) * dimensions),
    );
    for (const vector of vectors) assertUnitVector(vector, this.model);
    const each = texts.map((text) => positions.get(text) ?? 0);
    return {
      vectors: each.map((position) => vectors[position] ?? new Float32Array(0)),
      tokens: each.map((position) => answer.tokens[position] ?? 0),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#children.map((child) => child.close()));
  }

  async #embedDistinct(texts: readonly string[], signal: AbortSignal | undefined): Promise<EmbeddedBatch> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#ask(texts, signal);
      } catch (error) {
        if (this.#closed) throw new EmbedlineError('CLOSED', 'The embedder was closed.', { cause: error });
        if (!(error instanceof ChildDied) || attempt >= MAX_PROCESSES_PER_CALL) throw error;
      }
    }
  }

  async #ask(texts: readonly string[], signal: AbortSignal | undefined): Promise<EmbeddedBatch> {
    signal?.throwIfAborted();
    const child = this.#leastLoaded();
    await child.ready.catch((error: unknown) => {
      if (child.alive || error instanceof ChildDied) this.#failedStarts += 1;
      throw error;
    });
    this.#failedStarts = 0;
    signal?.throwIfAborted();
    const id = (this.#lastId += 1);
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => {
      child.cancel(id);
      aborted.reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([child.embed(id, texts), aborted.promise]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #leastLoaded(): InferenceChild {
    if (this.#closed) throw new EmbedlineError('CLOSED', 'The embedder was closed.');
    this.#children.forEach((child, index) => {
      if (child.alive) return;
      if (this.#failedStarts >= MAX_FAILED_STARTS) {
        throw new EmbedlineError(
          'MODEL_INVALID',
          `${this.#failedStarts} inference processes in a row died while loading ${this.model.id}. Check the memory of this machine.`,
        );
      }
      this.#children[index] = new InferenceChild(this.#settings);
    });
    const [least] = this.#children.toSorted((a, b) => a.load - b.load);
    if (least === undefined) throw new EmbedlineError('USAGE', 'An embedder needs at least one process.');
    return least;
  }
}

/** @throws EmbedlineError EMBEDDING_INVALID */
function assertUnitVector(vector: Float32Array, model: ModelSpec): void {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (vector.length === model.dimensions && Math.abs(Math.sqrt(squares) - 1) <= 0.01) return;
  throw new EmbedlineError(
    'EMBEDDING_INVALID',
    `Model ${model.id} gave a vector of ${vector.length} numbers and length ${Math.sqrt(squares)} instead of a unit vector of ` +
      `${model.dimensions}. The text or the model's files are bad.`,
  );
}

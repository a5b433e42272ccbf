import { availableParallelism } from 'node:os';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { EmbedlineError } from '../errors.ts';
import { isBatchInvariant } from './batch-invariance.ts';
import type { Embedder, Embeddings, EmbedOptions, ModelSpec } from './embedder.ts';
import { engineSettings, type EngineWishes } from './engine/engine-settings.ts';
import { InferencePool } from './inference-pool.ts';
import type { ResolvedModel } from './resolve-model.ts';
import { loadTokenizer, type TextTokenizer } from './tokenizer.ts';

export interface LocalEmbedderOptions {
  readonly model: ResolvedModel;
  /** Inference processes. Defaults to the cores this process may use. */
  readonly processes?: number | undefined;
  /** Threads within each, of onnxruntime. Defaults to 1: one single-threaded process per core is the fastest. */
  readonly threadsPerProcess?: number | undefined;
  /** Tokens that go through the network together. Defaults to 512. */
  readonly microBatchTokens?: number | undefined;
  readonly instructionSet?: EngineWishes['instructionSet'];
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** So many tokens are counted at a stretch, a few milliseconds: this thread renews locks as well. */
const TOKENS_PER_SLICE = 4_000;

/** Embeds in long-lived child processes on this machine; see inference-process.ts. Ready when the model is loaded. */
export async function createLocalEmbedder(options: LocalEmbedderOptions): Promise<LocalEmbedder> {
  const { spec, weightsFile, directory } = options.model;
  const { dimensions, pooling } = spec;
  const { threadsPerProcess: threads, instructionSet } = options;
  const pool = new InferencePool({
    settings: {
      weightsFile,
      dimensions,
      pooling,
      engine: engineSettings(spec, { threads, instructionSet }),
    },
    processes: options.processes ?? availableParallelism(),
    microBatchTokens: options.microBatchTokens ?? 512,
    modelId: spec.id,
    onWarning: options.onWarning,
  });
  try {
    const tokenizer = await loadTokenizer(directory);
    await Promise.all(pool.children.map((child) => child.ready));
    const [first] = pool.children;
    const encode = (text: string) => tokenizer.encode(text, spec.maxTokens).ids;
    const run = (texts: readonly (readonly number[])[]) =>
      first?.embed(texts) ?? Promise.resolve(new Float32Array());
    if (!(await isBatchInvariant({ encode, run, dimensions }))) {
      pool.embedOneByOne();
      options.onWarning?.(
        `Model ${spec.id} (${spec.dtype}) gives a text another vector in other company: ` +
          `texts are embedded one at a time, which is slower but reproducible.`,
      );
    }
    return new LocalEmbedder(spec, tokenizer, pool);
  } catch (error) {
    await pool.close();
    throw error;
  }
}

export class LocalEmbedder implements Embedder {
  readonly model: ModelSpec;
  readonly #tokenizer: TextTokenizer;
  readonly #pool: InferencePool;

  constructor(model: ModelSpec, tokenizer: TextTokenizer, pool: InferencePool) {
    this.model = model;
    this.#tokenizer = tokenizer;
    this.#pool = pool;
  }

  /** Process ids of the inference processes, for tests and diagnosis. */
  get processIds(): readonly number[] {
    return this.#pool.children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  async embed(texts: readonly string[], { signal }: EmbedOptions = {}): Promise<Embeddings> {
    const distinct = [...new Set(texts)];
    const encoded = await this.#encode(distinct, signal);
    const ids = encoded.map((text) => text.ids);
    const vectors = await this.#pool.embed(ids, signal);
    for (const vector of vectors) assertUnitVector(vector, this.model);
    const positions = new Map(distinct.map((text, position) => [text, position]));
    const each = texts.map((text) => positions.get(text) ?? 0);
    return {
      vectors: each.map((position) => vectors[position] ?? new Float32Array()),
      tokens: each.map((position) => ids[position]?.length ?? 0),
      truncated: each.map((position) => encoded[position]?.truncated === true),
    };
  }

  countTokens(text: string): number {
    return this.#tokenizer.count(text);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #encode(texts: readonly string[], signal: AbortSignal | undefined) {
    const encoded: ReturnType<TextTokenizer['encode']>[] = [];
    let sliceTokens = 0;
    for (const text of texts) {
      const one = this.#tokenizer.encode(text, this.model.maxTokens);
      encoded.push(one);
      sliceTokens += one.ids.length;
      if (sliceTokens < TOKENS_PER_SLICE) continue;
      sliceTokens = 0;
      await yieldToEventLoop();
      signal?.throwIfAborted();
    }
    return encoded;
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

import { availableParallelism } from 'node:os';
import { InferencePool } from '../inference-pool.ts';
import type { ResolvedModel } from '../resolve-model.ts';

export interface NetworkVectorsOptions {
  readonly model: ResolvedModel;
  /** Token ids of each text, special tokens included. */
  readonly texts: readonly (readonly number[])[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((textsDone: number) => void) | undefined;
}

/** Tokens that go through the network together (performance notes: small batches stay in a core's cache). */
const MICRO_BATCH_TOKENS = 512;
/** Texts between two reports of progress. */
const TEXTS_AT_A_TIME = 1_000;

/**
 * The unit vectors that a transformer gives texts, row by row, from an inference process per core.
 * @throws EmbedlineError MODEL_INVALID, EMBEDDING_FAILED; the signal's reason
 */
export async function networkVectors(options: NetworkVectorsOptions): Promise<Float32Array> {
  const { model, texts, signal, onProgress } = options;
  const { dimensions, pooling, id } = model.spec;
  const vectors = new Float32Array(texts.length * dimensions);
  const pool = new InferencePool({
    settings: {
      weightsFile: model.weightsFile,
      dimensions,
      pooling,
      engine: { name: 'onnxruntime', threads: 1 },
    },
    processes: availableParallelism(),
    microBatchTokens: MICRO_BATCH_TOKENS,
    modelId: id,
  });
  try {
    for (let start = 0; start < texts.length; start += TEXTS_AT_A_TIME) {
      const rows = await pool.embed(texts.slice(start, start + TEXTS_AT_A_TIME), signal);
      rows.forEach((row, index) => vectors.set(row, (start + index) * dimensions));
      onProgress?.(start + rows.length);
    }
    return vectors;
  } finally {
    await pool.close();
  }
}

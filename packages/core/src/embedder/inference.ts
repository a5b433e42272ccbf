import * as ort from 'onnxruntime-node';
import { loadTokenizer } from './tokenizer.ts';
import type { InferenceSettings } from './inference-protocol.ts';
import { planMicroBatches } from './micro-batches.ts';
import { poolAndNormalize } from './pooling.ts';

export interface Inference {
  /** False when a text's vector depends on its neighbours: then texts go through the network one at a time. */
  readonly batchInvariant: boolean;
  /** Null when it was cancelled between two micro-batches. */
  embed(
    texts: readonly string[],
    isCancelled: () => boolean,
  ): Promise<{ vectors: Float32Array; tokens: number[] } | null>;
}

const CANARY_TEXT = 'The quick brown fox jumps over the lazy dog, then writes 42 lines about it.';

/** Loads a model into this process. Errors are those of onnxruntime and of the file system. */
export async function createInference(settings: InferenceSettings): Promise<Inference> {
  const tokenizer = await loadTokenizer(settings.directory);
  const session = await ort.InferenceSession.create(settings.weightsFile, {
    intraOpNumThreads: settings.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    // Spinning threads burn five times the CPU for nothing (hazards O3).
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const run = (batch: readonly (readonly number[])[]) => runBatch(session, batch, settings);
  const canary = tokenizer.encode(CANARY_TEXT, settings.maxTokens).ids;
  const batchInvariant = await isBatchInvariant(canary, run);
  const maxBatchTokens = batchInvariant ? settings.microBatchTokens : 0;
  return {
    batchInvariant,
    embed: async (texts, isCancelled) => {
      const encoded = texts.map((text) => tokenizer.encode(text, settings.maxTokens).ids);
      const tokens = encoded.map((ids) => ids.length);
      const vectors = new Float32Array(texts.length * settings.dimensions);
      for (const { positions } of planMicroBatches(tokens, maxBatchTokens)) {
        if (isCancelled()) return null;
        const results = await run(positions.map((position) => encoded[position] ?? []));
        positions.forEach((position, index) =>
          vectors.set(results[index] ?? [], position * settings.dimensions),
        );
      }
      return { vectors, tokens };
    },
  };
}

/** @param batch token ids of texts of one length */
async function runBatch(
  session: ort.InferenceSession,
  batch: readonly (readonly number[])[],
  { dimensions, pooling }: InferenceSettings,
): Promise<Float32Array[]> {
  const length = batch[0]?.length ?? 0;
  const shape = [batch.length, length];
  const ids = BigInt64Array.from(batch.flat(), BigInt);
  const feeds: Record<string, ort.Tensor> = {};
  for (const name of session.inputNames) feeds[name] = new ort.Tensor('int64', inputOf(name, ids), shape);
  const outputs = await session.run(feeds);
  const hidden = outputs['last_hidden_state'] ?? outputs[session.outputNames[0] ?? ''];
  if (hidden === undefined || !(hidden.data instanceof Float32Array) || hidden.dims.at(-1) !== dimensions) {
    throw new Error(
      `the model's output is ${hidden?.type ?? 'missing'} ${String(hidden?.dims)}, not float32 [..., ${dimensions}]`,
    );
  }
  const values = hidden.data;
  const perText = length * dimensions;
  return batch.map((_, index) => {
    const vector = new Float32Array(dimensions);
    poolAndNormalize(values.subarray(index * perText, (index + 1) * perText), dimensions, pooling, vector);
    return vector;
  });
}

function inputOf(name: string, ids: BigInt64Array): BigInt64Array {
  if (name === 'input_ids') return ids;
  if (name === 'attention_mask') return new BigInt64Array(ids.length).fill(1n);
  if (name === 'token_type_ids') return new BigInt64Array(ids.length);
  throw new Error(`the model wants an input ${JSON.stringify(name)} that is not one of a text encoder`);
}

/** Embeds token sequences of one length alone and together: the vectors must be equal to the bit. */
async function isBatchInvariant(
  ids: readonly number[],
  run: (batch: readonly (readonly number[])[]) => Promise<Float32Array[]>,
): Promise<boolean> {
  const inner = ids.slice(1, -1);
  const variants = [
    ids,
    [...ids.slice(0, 1), ...inner.toReversed(), ...ids.slice(-1)],
    ids.map(() => ids[1] ?? 0),
  ];
  const together = await run(variants);
  for (const [index, variant] of variants.entries()) {
    const [alone] = await run([variant]);
    const other = together[index];
    if (
      alone === undefined ||
      other === undefined ||
      alone.some((value, position) => value !== other[position])
    )
      return false;
  }
  return true;
}

import * as ort from 'onnxruntime-node';
import type { InferenceSettings } from './inference-protocol.ts';
import { hiddenStatesName } from './hidden-states.ts';
import { poolAndNormalize } from './pooling.ts';

/** A model in this process. */
export interface Inference {
  /**
   * @param ids token ids of `texts` texts of one length, one after the other
   * @returns unit vectors, one after the other
   */
  run(ids: Int32Array, texts: number): Promise<Float32Array>;
}

/** Loads a model into this process. Errors are those of onnxruntime and of the file system. */
export async function createInference(settings: InferenceSettings): Promise<Inference> {
  const session = await ort.InferenceSession.create(settings.weightsFile, {
    intraOpNumThreads: settings.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    // Spinning threads burn five times the CPU for nothing (hazards O3).
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return { run: (ids, texts) => run(session, ids, texts, settings) };
}

async function run(
  session: ort.InferenceSession,
  ids: Int32Array,
  texts: number,
  { dimensions, pooling }: InferenceSettings,
): Promise<Float32Array> {
  const length = ids.length / texts;
  const feeds: Record<string, ort.Tensor> = {};
  for (const name of session.inputNames)
    feeds[name] = new ort.Tensor('int64', inputOf(name, ids), [texts, length]);
  const outputs = await session.run(feeds);
  const hidden = outputs[hiddenStatesName(session.outputNames) ?? ''];
  const wanted = [texts, length, dimensions].join(', ');
  if (!(hidden?.data instanceof Float32Array) || hidden.dims.join(', ') !== wanted) {
    throw new Error(
      `the model's output is ${hidden?.type ?? 'missing'} [${hidden?.dims.join(', ') ?? ''}], not float32 [${wanted}]`,
    );
  }
  const vectors = new Float32Array(texts * dimensions);
  for (let text = 0; text < texts; text += 1) {
    const states = hidden.data.subarray(text * length * dimensions, (text + 1) * length * dimensions);
    poolAndNormalize(
      states,
      dimensions,
      pooling,
      vectors.subarray(text * dimensions, (text + 1) * dimensions),
    );
  }
  return vectors;
}

function inputOf(name: string, ids: Int32Array): BigInt64Array {
  if (name === 'input_ids') return BigInt64Array.from(ids, BigInt);
  if (name === 'attention_mask') return new BigInt64Array(ids.length).fill(1n);
  if (name === 'token_type_ids') return new BigInt64Array(ids.length);
  throw new Error(`the model wants an input ${JSON.stringify(name)} that is not one of a text encoder`);
}

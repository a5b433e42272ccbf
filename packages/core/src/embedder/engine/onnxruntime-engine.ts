import * as ort from 'onnxruntime-node';
import { hiddenStatesName } from '../hidden-states.ts';
import type { ModelToRun } from '../inference-protocol.ts';
import { poolAndNormalize } from '../pooling.ts';
import type { InferenceEngine } from './inference-engine.ts';

/**
 * Runs a model's ONNX file. The texts of a call must be of one length: nothing is padded, so no mask can change a text's
 * vector. Errors are those of onnxruntime and of the file system.
 */
export async function openOnnxruntimeEngine(model: ModelToRun, threads: number): Promise<InferenceEngine> {
  const session = await ort.InferenceSession.create(model.weightsFile, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    // Spinning threads burn five times the CPU for nothing (hazards O3).
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return { run: (ids, lengths) => run(session, ids, lengths, model) };
}

async function run(
  session: ort.InferenceSession,
  ids: Int32Array,
  lengths: Int32Array,
  { dimensions, pooling }: ModelToRun,
): Promise<Float32Array> {
  const texts = lengths.length;
  const length = ids.length / texts;
  if (lengths.some((other) => other !== length))
    throw new Error('the texts of a call are of several lengths. This is a bug in embedline');
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

import * as ort from 'onnxruntime-node';
import type { ModelSpec } from '../embedder.ts';
import { poolAndNormalize } from '../pooling.ts';
import type { RunNetwork } from './token-vectors.ts';

/** A network in this process, for as long as a distillation takes. */
export interface TokenNetwork {
  readonly run: RunNetwork;
  close(): Promise<void>;
}

/** Loads a network into this process. Errors are those of onnxruntime and of the file system. */
export async function openTokenNetwork(
  weightsFile: string,
  { dimensions, pooling }: ModelSpec,
  threads: number,
): Promise<TokenNetwork> {
  const session = await ort.InferenceSession.create(weightsFile, {
    intraOpNumThreads: threads,
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const run: RunNetwork = async (ids, texts) => {
    const shape = [texts, ids.length / texts];
    const feeds = session.inputNames.map((name) => [
      name,
      new ort.Tensor('int64', inputOf(name, ids), shape),
    ]);
    const outputs = await session.run(Object.fromEntries(feeds) as Record<string, ort.Tensor>);
    const hidden = outputs['last_hidden_state'] ?? outputs[session.outputNames[0] ?? ''];
    if (!(hidden?.data instanceof Float32Array)) throw new Error('the model gives no float32 states');
    const perText = (ids.length / texts) * dimensions;
    const vectors = new Float32Array(texts * dimensions);
    for (let text = 0; text < texts; text += 1) {
      const target = vectors.subarray(text * dimensions, (text + 1) * dimensions);
      poolAndNormalize(
        hidden.data.subarray(text * perText, (text + 1) * perText),
        dimensions,
        pooling,
        target,
      );
    }
    return vectors;
  };
  return { run, close: () => session.release() };
}

function inputOf(name: string, ids: Int32Array): BigInt64Array {
  if (name === 'input_ids') return BigInt64Array.from(ids, BigInt);
  return new BigInt64Array(ids.length).fill(name === 'attention_mask' ? 1n : 0n);
}

/**
 * Stands in for an inference process: a text's vector is made of its token ids. Some ids make it die, or fail, or last.
 */
import { fileURLToPath } from 'node:url';
import type {
  InferenceRequest,
  InferenceResponse,
} from '../../packages/core/src/embedder/inference-protocol.ts';

export const DEADLY = 666;
export const FAILING = 13;
export const DIMENSIONS = 2;

/** The vector that this process gives a text. */
export function fakeInferenceVector(ids: readonly number[]): number[] {
  return [ids.length, ids.reduce((sum, id) => sum + id, 0)];
}

// Tests import this file as well.
if (process.argv[1] === fileURLToPath(import.meta.url)) serve((message) => process.send?.(message));

function serve(send: (message: InferenceResponse) => void): void {
  if (process.argv[2]?.includes('"threads":0') === true) process.exit(1);
  send({ type: 'ready' });
  process.on('disconnect', () => process.exit());
  process.on('message', (message) => {
    const { id, ids, lengths } = message as InferenceRequest;
    if (ids.includes(DEADLY)) process.kill(process.pid, 'SIGKILL');
    if (ids.includes(FAILING)) return send({ type: 'failed', id, message: 'an unlucky number' });
    let offset = 0;
    const vectors = Array.from(lengths, (length) =>
      fakeInferenceVector([...ids.subarray(offset, (offset += length))]),
    );
    send({ type: 'embedded', id, vectors: Float32Array.from(vectors.flat()), residentBytes: lengths.length });
  });
}

import { readFile } from 'node:fs/promises';
import { openKernel, weightsFromOnnx, type InstructionSet } from '@embedline/kernel';
import type { ModelToRun } from '../inference-protocol.ts';
import type { InferenceEngine } from './inference-engine.ts';

/**
 * Runs a model by the project's own kernel, on one thread. The texts of a call may be of any lengths. Errors are those of
 * the kernel and of the file system.
 */
export async function openKernelEngine(
  { weightsFile, pooling, dimensions }: ModelToRun,
  instructionSet: InstructionSet,
): Promise<InferenceEngine> {
  const weights = weightsFromOnnx(await readFile(weightsFile), { pooling });
  const kernel = await openKernel({ weights, instructionSet });
  if (kernel.dimensions !== dimensions)
    throw new Error(`its weights have ${kernel.dimensions} dimensions, and its configuration ${dimensions}`);
  return {
    run: (ids, lengths) => {
      const vectors = new Float32Array(lengths.length * dimensions);
      kernel.embed(ids, lengths, vectors);
      return Promise.resolve(vectors);
    },
  };
}

import { readFile } from 'node:fs/promises';
import { KernelError, listInstructionSets, weightsFromOnnx, type InstructionSet } from '@embedline/kernel';
import { EmbedlineError } from '../../errors.ts';
import { isShippedModel, type ResolvedModel } from '../resolve-model.ts';

export { listInstructionSets };

/**
 * Why the kernel does not take a model; null when it does. Reads the weights where nothing else answers that, which takes
 * some 100 ms.
 * @throws EmbedlineError MODEL_INVALID for weights that are damaged
 */
export async function whyNotKernel({ kind, spec, weightsFile }: ResolvedModel): Promise<string | null> {
  if (isShippedModel(spec)) return null;
  if (kind === 'static') return 'it is a static model, which has no network to run';
  if (spec.dtype !== 'q8') return `its weights are ${spec.dtype}, and the kernel takes q8`;
  try {
    weightsFromOnnx(await readFile(weightsFile), { pooling: spec.pooling });
    return null;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (error.code === 'MODEL_UNSUPPORTED') return error.message;
    throw new EmbedlineError('MODEL_INVALID', `The weights of ${spec.id} cannot be used: ${error.message}`, {
      cause: error,
    });
  }
}

/** Slower than onnxruntime wherever that has code of its own. */
const PORTABLE: ReadonlySet<InstructionSet> = new Set(['wasm-simd', 'plain']);

/** True when this machine can run code of the kernel that was written for its kind of CPU. */
export function hasNativeKernel(): boolean {
  return listInstructionSets().some(({ name, usable }) => usable && !PORTABLE.has(name));
}

/**
 * The instruction set that the kernel is to use here.
 * @param wanted what EMBEDLINE_KERNEL says; null takes the fastest that this machine can run
 * @throws EmbedlineError CONFIG_INVALID when this machine cannot run the wanted one
 */
export function chooseInstructionSet(wanted: InstructionSet | null): InstructionSet {
  const sets = listInstructionSets();
  const usable = sets.filter((set) => set.usable).map(({ name }) => name);
  if (wanted === null) {
    const [fastest] = usable;
    if (fastest !== undefined) return fastest;
    throw new EmbedlineError(
      'MODEL_INVALID',
      `This machine can run none of the kernel's instruction sets: ${sets.map(({ name, reason }) => `${name} (${reason})`).join(', ')}. ` +
        `Use --engine onnxruntime.`,
    );
  }
  if (usable.includes(wanted)) return wanted;
  const reason = sets.find(({ name }) => name === wanted)?.reason ?? 'it is not in this installation';
  throw new EmbedlineError(
    'CONFIG_INVALID',
    `EMBEDLINE_KERNEL asks for ${wanted}, which this machine cannot run: ${reason}. Unset it, or take one of ${usable.join(', ')}.`,
  );
}

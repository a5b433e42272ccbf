import type { InstructionSet } from '@embedline/kernel';
import type { ModelSpec } from '../embedder.ts';
import { engineOf } from './engine-identity.ts';
import { chooseInstructionSet } from './kernel-support.ts';

/** Which engine runs a model in an inference process, and how. */
export type EngineSettings =
  | {
      readonly name: 'onnxruntime';
      /** Threads of one process. */
      readonly threads: number;
    }
  | { readonly name: 'kernel'; readonly instructionSet: InstructionSet };

export interface EngineWishes {
  /** Of the kernel: what EMBEDLINE_KERNEL says. Defaults to the fastest that this machine can run. */
  readonly instructionSet?: InstructionSet | null | undefined;
  /** Of onnxruntime. Defaults to 1. */
  readonly threads?: number | undefined;
}

/**
 * How a model's engine is to be run here.
 * @throws EmbedlineError VERSION_UNSUPPORTED for an engine that is not in this version; CONFIG_INVALID for an instruction
 * set that this machine cannot run
 */
export function engineSettings(
  model: ModelSpec,
  { instructionSet = null, threads = 1 }: EngineWishes = {},
): EngineSettings {
  return engineOf(model) === 'kernel'
    ? { name: 'kernel', instructionSet: chooseInstructionSet(instructionSet) }
    : { name: 'onnxruntime', threads };
}

/** True for an engine that takes texts of any lengths together, since it pads none. */
export function mixesLengths({ name }: EngineSettings): boolean {
  return name === 'kernel';
}

import { KernelError } from './errors.ts';
import { INSTRUCTION_SETS, type InstructionSet } from './instruction-set-names.ts';
import { nativeAddon } from './native.ts';

export interface InstructionSetState {
  readonly name: InstructionSet;
  readonly usable: boolean;
  /** Why it cannot be used on this machine; empty when it can. */
  readonly reason: string;
}

/** What this machine can run, fastest first. `plain` is for tests: it is slower than WebAssembly. */
export function listInstructionSets(): readonly InstructionSetState[] {
  const { addon, reason } = nativeAddon();
  const known = addon?.engines() ?? [];
  return INSTRUCTION_SETS.map((name) => {
    if (name === 'wasm-simd') return { name, usable: true, reason: '' };
    if (addon === null) return { name, usable: name === 'plain', reason: name === 'plain' ? '' : reason };
    const index = known.indexOf(name);
    const obstacle = index < 0 ? 'it is one of another kind of processor' : known[index + 1];
    return { name, usable: obstacle === null, reason: obstacle ?? '' };
  });
}

/**
 * The instruction set to use: the wanted one, or the fastest.
 * @throws KernelError INSTRUCTION_SET_UNKNOWN, or INSTRUCTION_SET_UNUSABLE with the reason
 */
export function chooseInstructionSet(wanted: string | undefined): InstructionSet {
  const states = listInstructionSets();
  if (wanted === undefined) return states.find(({ usable }) => usable)?.name ?? 'wasm-simd';
  const state = states.find(({ name }) => name === wanted);
  if (state === undefined)
    throw new KernelError(
      'INSTRUCTION_SET_UNKNOWN',
      `The kernel knows no instruction set ${JSON.stringify(wanted)}. Choose one of ${INSTRUCTION_SETS.join(', ')}.`,
    );
  if (!state.usable)
    throw new KernelError(
      'INSTRUCTION_SET_UNUSABLE',
      `The kernel cannot use ${state.name} on this machine: ${state.reason}. ` +
        `Choose one of ${states.flatMap(({ name, usable }) => (usable ? [name] : [])).join(', ')}.`,
    );
  return state.name;
}

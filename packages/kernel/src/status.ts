import { KernelError } from './errors.ts';

/** What the compiled code answers; see native/model.h. */
const STATUS: Readonly<Record<number, readonly [KernelError['code'], string]>> = {
  1: ['WEIGHTS_INVALID', 'the header names sizes that the kernel does not take, or is damaged'],
  2: ['WEIGHTS_INVALID', 'the file is cut off or has bytes too many for its sizes'],
  3: ['WEIGHTS_INVALID', 'an 8-bit weight lies outside -64 to 64'],
  4: ['WEIGHTS_INVALID', 'a number is not finite'],
  5: ['INPUT_INVALID', 'a buffer is too small'],
  6: ['INPUT_INVALID', 'a token id lies outside the vocabulary'],
  7: ['INPUT_INVALID', 'a text has no token or too many, or the lengths do not add up'],
  8: ['INSTRUCTION_SET_UNUSABLE', 'this processor does not have the instruction set'],
  9: ['WEIGHTS_INVALID', 'a vector came out that is not finite, so the weights are damaged'],
};

/** @throws KernelError unless `status` is 0 */
export function assertDone(status: number, subject: string): void {
  if (status === 0) return;
  const [code, reason] = STATUS[status] ?? ['INPUT_INVALID', `unknown status ${status}`];
  throw new KernelError(code, `${subject}: ${reason}.`);
}

import { ARITHMETIC_VERSION } from './arithmetic-version.ts';
import { KernelError } from './errors.ts';
import type { InstructionSet } from './instruction-set-names.ts';
import { chooseInstructionSet } from './instruction-sets.ts';
import { nativeAddon, type NativeAddon } from './native.ts';
import { packWeights, type PackedWeights } from './pack-weights.ts';
import { assertDone } from './status.ts';
import { WasmInstance } from './wasm.ts';
import { readHeader } from './weights/header.ts';

/** Tokens of one text at most: with more, sums of the attention could exceed 32 bits. */
const MAX_TOKENS = 512;
const MAX_TOKENS_PER_CALL = 65_536;
const ALIGNMENT = 64;

export interface OpenKernelOptions {
  /** A weights file, or what packWeights() made of one. */
  readonly weights: Uint8Array | PackedWeights;
  /** Defaults to the fastest that this machine can run. An unknown or unusable one is an error. */
  readonly instructionSet?: string | undefined;
}

/** The forward pass of one model on the calling thread. */
export interface Kernel {
  /** Numbers of a vector. */
  readonly dimensions: number;
  /** Tokens of one text at most, special tokens included. */
  readonly maxTokens: number;
  readonly vocabularySize: number;
  readonly instructionSet: InstructionSet;
  /** See ARITHMETIC_VERSION. */
  readonly arithmeticVersion: number;
  /**
   * Embeds texts, on this thread. A text's vector does not depend on its company, bit for bit.
   * @param ids token ids of all texts one after the other, without padding; 65,536 at most
   * @param lengths tokens of each text
   * @param out receives a unit vector of `dimensions` numbers for each text, one after the other
   * @param ticks times of the parts of the pass are added here, for benchmarks; native code only
   * @throws KernelError INPUT_INVALID, or CLOSED
   */
  embed(ids: Int32Array, lengths: Int32Array, out: Float32Array, ticks?: Float64Array): void;
  /** Releases the memory that calls share. Harmless when called again. */
  close(): void;
}

/** Runs a checked batch. @returns a status */
type Run = (
  ids: Int32Array,
  lengths: Int32Array,
  out: Float32Array,
  longest: number,
  ticks?: Float64Array,
) => number;

/**
 * Opens a model.
 * @throws KernelError WEIGHTS_INVALID, INSTRUCTION_SET_UNKNOWN, INSTRUCTION_SET_UNUSABLE
 */
export async function openKernel({ weights, instructionSet }: OpenKernelOptions): Promise<Kernel> {
  const chosen = chooseInstructionSet(instructionSet);
  const packed = weights instanceof Uint8Array ? await packWeights(weights) : weights;
  const image = new Uint8Array(packed.memory, packed.byteOffset, packed.byteLength);
  const { addon } = nativeAddon();
  const native = addon !== null && chosen !== 'wasm-simd';
  const run = native ? nativeRun(addon, chosen, image) : await wasmRun(chosen, image);
  return new PackedKernel(chosen, image, run);
}

class PackedKernel implements Kernel {
  readonly dimensions: number;
  readonly maxTokens: number;
  readonly vocabularySize: number;
  readonly instructionSet: InstructionSet;
  readonly arithmeticVersion = ARITHMETIC_VERSION;
  #run: Run | null;

  constructor(instructionSet: InstructionSet, image: Uint8Array, run: Run) {
    const { hidden, vocabulary, positions, positionOffset } = readHeader(image);
    this.dimensions = hidden;
    this.maxTokens = Math.min(positions - positionOffset, MAX_TOKENS);
    this.vocabularySize = vocabulary;
    this.instructionSet = instructionSet;
    this.#run = run;
  }

  embed(ids: Int32Array, lengths: Int32Array, out: Float32Array, ticks?: Float64Array): void {
    if (this.#run === null) throw new KernelError('CLOSED', 'The kernel is closed.');
    const [ownIds, ownLengths] = [unshared(ids), unshared(lengths)];
    const longest = this.#check(ownIds, ownLengths, out);
    if (lengths.length === 0) return;
    assertDone(this.#run(ownIds, ownLengths, out, longest, ticks), 'The kernel cannot embed these texts');
  }

  close(): void {
    this.#run = null;
  }

  /** @returns tokens of the longest text */
  #check(ids: Int32Array, lengths: Int32Array, out: Float32Array): number {
    let [total, longest] = [0, 0];
    for (const [text, length] of lengths.entries()) {
      if (length < 1 || length > this.maxTokens)
        throw invalid(`text ${text} has ${length} tokens; 1 to ${this.maxTokens} are possible`);
      total += length;
      longest = Math.max(longest, length);
    }
    if (total !== ids.length)
      throw invalid(`the lengths add up to ${total} tokens, but there are ${ids.length}`);
    if (total > MAX_TOKENS_PER_CALL)
      throw invalid(
        `a call may have ${MAX_TOKENS_PER_CALL} tokens, not ${total}; embed the texts in several`,
      );
    const wanted = lengths.length * this.dimensions;
    if (out.length !== wanted) throw invalid(`out has ${out.length} numbers instead of ${wanted}`);
    const stray = ids.findIndex((id) => id < 0 || id >= this.vocabularySize);
    if (stray >= 0) throw invalid(`token id ${ids[stray]} is not one of 0 to ${this.vocabularySize - 1}`);
    return longest;
  }
}

/** Another thread must not change numbers between their check and their use. */
function unshared(numbers: Int32Array): Int32Array {
  return numbers.buffer instanceof SharedArrayBuffer ? numbers.slice() : numbers;
}

function invalid(reason: string): KernelError {
  return new KernelError('INPUT_INVALID', `The kernel cannot embed these texts: ${reason}.`);
}

function nativeRun(addon: NativeAddon, instructionSet: InstructionSet, image: Uint8Array): Run {
  const engine = addon.engines().indexOf(instructionSet) / 2;
  let scratch = new Uint8Array();
  return (ids, lengths, out, longest, ticks) => {
    const bytes = addon.scratchBytes(engine, image, ids.length, longest);
    if (bytes === 0) return 1;
    if (bytes > scratch.byteLength) {
      const memory = new Uint8Array(bytes + ALIGNMENT);
      const start = addon.misalignment(memory);
      scratch = memory.subarray(start, start + bytes);
    }
    return addon.embed(engine, image, ids, lengths, out, scratch, ticks);
  };
}

async function wasmRun(instructionSet: InstructionSet, image: Uint8Array): Promise<Run> {
  const instance = await WasmInstance.create();
  instance.load(image);
  const engine = instructionSet === 'wasm-simd' ? 0 : 1;
  return (ids, lengths, out, longest) => instance.embed(engine, ids, lengths, out, longest);
}

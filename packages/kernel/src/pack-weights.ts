import { KernelError } from './errors.ts';
import { nativeAddon, type NativeAddon } from './native.ts';
import { assertDone } from './status.ts';
import { WasmInstance } from './wasm.ts';

/**
 * Weights as the kernel reads them, in memory that threads share. May be posted to worker threads: it is neither copied nor
 * moved. The same for every instruction set. Must not be written to.
 */
export interface PackedWeights {
  readonly memory: SharedArrayBuffer;
  /** Where the image starts in `memory`. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

const ALIGNMENT = 64;
const SUBJECT = "The kernel's weights cannot be used";

/**
 * Checks weights, which may be damaged or forged, and packs them.
 * @throws KernelError WEIGHTS_INVALID
 */
export async function packWeights(weights: Uint8Array): Promise<PackedWeights> {
  if (weights.byteLength < 128) throw new KernelError('WEIGHTS_INVALID', `${SUBJECT}: the file is cut off.`);
  const { addon } = nativeAddon();
  if (addon !== null) return packNatively(addon, weights);
  const instance = await WasmInstance.create();
  const packed = instance.pack(weights);
  if (typeof packed === 'number') {
    assertDone(packed, SUBJECT);
    throw new KernelError('WEIGHTS_INVALID', `${SUBJECT}.`);
  }
  const memory = new SharedArrayBuffer(packed.byteLength);
  new Uint8Array(memory).set(packed);
  return { memory, byteOffset: 0, byteLength: packed.byteLength };
}

function packNatively(addon: NativeAddon, weights: Uint8Array): PackedWeights {
  const file = weights.byteOffset % 4 === 0 ? weights : weights.slice();
  const byteLength = addon.packedBytes(file);
  if (byteLength === 0) assertDone(1, SUBJECT);
  const memory = new SharedArrayBuffer(byteLength + ALIGNMENT);
  const byteOffset = addon.misalignment(new Uint8Array(memory));
  assertDone(addon.pack(file, new Uint8Array(memory, byteOffset, byteLength)), SUBJECT);
  return { memory, byteOffset, byteLength };
}

import { createRequire } from 'node:module';
import { prebuiltPath, readPrebuilt } from './prebuilt.ts';

/** The Node addon; see native/addon.cpp. Numbers it returns are sizes, or a status (0: done). */
export interface NativeAddon {
  /** Names of instruction sets, each followed by null or by what stands in its way; fastest first. */
  engines(): (string | null)[];
  /** Bytes from the start of an array to its first address that is a multiple of 64. */
  misalignment(array: Uint8Array): number;
  packedBytes(weights: Uint8Array): number;
  pack(weights: Uint8Array, packed: Uint8Array): number;
  scratchBytes(engine: number, packed: Uint8Array, rows: number, longest: number): number;
  embed(
    engine: number,
    packed: Uint8Array,
    ids: Int32Array,
    lengths: Int32Array,
    out: Float32Array,
    scratch: Uint8Array,
    /** Time of each part of the pass, in ticks of the processor's counter, is added here. */
    ticks?: Float64Array,
  ): number;
  /** Multiply-adds per tick that the 8-bit product reaches when all lies in the first-level cache. */
  peak(engine: number): number;
}

export type NativeState =
  { readonly addon: NativeAddon; readonly reason: null } | { readonly addon: null; readonly reason: string };

let state: NativeState | undefined;

/** The addon for this platform, or why there is none. Loaded once. */
export function nativeAddon(): NativeState {
  state ??= load(`${process.platform}-${process.arch}.node`);
  return state;
}

function load(file: string): NativeState {
  if (readPrebuilt(file) === null)
    return { addon: null, reason: `this version has no native code for ${process.platform} ${process.arch}` };
  try {
    const addon = createRequire(import.meta.url)(prebuiltPath(file)) as NativeAddon;
    return { addon, reason: null };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { addon: null, reason: `the native code cannot be loaded: ${reason}` };
  }
}

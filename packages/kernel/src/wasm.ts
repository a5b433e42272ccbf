import { readPrebuilt } from './prebuilt.ts';

/** Exports of the WebAssembly module; see native/wasm.cpp. Addresses and sizes are bytes. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  /** Where memory starts that the caller lays out. */
  first_address(): number;
  packed_bytes(header: number): number;
  pack(file: number, bytes: number, packed: number, capacity: number): number;
  scratch_bytes(engine: number, packed: number, bytes: number, rows: number, longest: number): number;
  embed(
    engine: number,
    packed: number,
    bytes: number,
    ids: number,
    idCount: number,
    lengths: number,
    texts: number,
    out: number,
    outCount: number,
    scratch: number,
    scratchBytes: number,
  ): number;
}

const PAGE_BYTES = 65_536;
const ALIGNMENT = 64;

/** An instance of the WebAssembly module: its memory holds the packed weights first, then whatever a call needs. */
export class WasmInstance {
  readonly #exports: Exports;
  readonly #base: number;
  #packedBytes = 0;

  private constructor(exports: Exports) {
    this.#exports = exports;
    this.#base = align(exports.first_address());
  }

  static async create(): Promise<WasmInstance> {
    const bytes = readPrebuilt('kernel.wasm');
    if (bytes === null) throw new Error('kernel.wasm is not listed in SHA256SUMS. Install Embedline again.');
    const { instance } = await WebAssembly.instantiate(bytes, {});
    return new WasmInstance(instance.exports as Exports);
  }

  /** Packs weights into this memory. @returns a copy of the packed image, or a status */
  pack(weights: Uint8Array): Uint8Array | number {
    this.#place(this.#base, weights.subarray(0, 128));
    const capacity = weights.byteLength < 128 ? 0 : this.#exports.packed_bytes(this.#base);
    if (capacity === 0) return 1;
    const file = align(this.#base + capacity);
    this.#place(file, weights);
    const status = this.#exports.pack(file, weights.byteLength, this.#base, capacity);
    return status === 0
      ? new Uint8Array(this.#exports.memory.buffer).slice(this.#base, this.#base + capacity)
      : status;
  }

  /** Puts a packed image into this memory, for embed(). */
  load(packed: Uint8Array): void {
    this.#place(this.#base, packed);
    this.#packedBytes = packed.byteLength;
  }

  /** @returns a status */
  embed(engine: number, ids: Int32Array, lengths: Int32Array, out: Float32Array, longest: number): number {
    const scratchBytes = this.#exports.scratch_bytes(
      engine,
      this.#base,
      this.#packedBytes,
      ids.length,
      longest,
    );
    if (scratchBytes === 0) return 1;
    const idsAt = align(this.#base + this.#packedBytes);
    const lengthsAt = align(idsAt + ids.byteLength);
    const outAt = align(lengthsAt + lengths.byteLength);
    const scratchAt = align(outAt + out.byteLength);
    this.#reserve(scratchAt + scratchBytes);
    this.#place(idsAt, ids);
    this.#place(lengthsAt, lengths);
    const status = this.#exports.embed(
      engine,
      this.#base,
      this.#packedBytes,
      idsAt,
      ids.length,
      lengthsAt,
      lengths.length,
      outAt,
      out.length,
      scratchAt,
      scratchBytes,
    );
    if (status === 0) out.set(new Float32Array(this.#exports.memory.buffer, outAt, out.length));
    return status;
  }

  #place(address: number, data: Uint8Array | Int32Array): void {
    this.#reserve(address + data.byteLength);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    new Uint8Array(this.#exports.memory.buffer).set(bytes, address);
  }

  #reserve(end: number): void {
    const { memory } = this.#exports;
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  }
}

function align(address: number): number {
  return Math.ceil(address / ALIGNMENT) * ALIGNMENT;
}

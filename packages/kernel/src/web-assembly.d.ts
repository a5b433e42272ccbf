/** What the kernel uses of WebAssembly, which the type libraries for Node leave out. */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer;
    /** @returns pages before */
    grow(pages: number): number;
  }
  interface Instance {
    readonly exports: unknown;
  }
  function instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: Instance }>;
}

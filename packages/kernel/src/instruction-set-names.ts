/** Every instruction set the kernel is written for, fastest first. All give the same bits. Loads nothing of the kernel. */
export const INSTRUCTION_SETS = [
  'amx-int8',
  'avx512-vnni',
  'avx-vnni',
  'avx2',
  'neon-dotprod',
  'wasm-simd',
  'plain',
] as const;
export type InstructionSet = (typeof INSTRUCTION_SETS)[number];

export { ARITHMETIC_VERSION } from './arithmetic-version.ts';
export { KernelError, type KernelErrorCode } from './errors.ts';
export type { InstructionSet } from './instruction-set-names.ts';
export { listInstructionSets, type InstructionSetState } from './instruction-sets.ts';
export { openKernel, type Kernel, type OpenKernelOptions } from './kernel.ts';
export { packWeights, type PackedWeights } from './pack-weights.ts';
export { encodeWeights, verifyChecksum } from './weights/encode-weights.ts';
export { readHeader, sectionsOf, type Section, type WeightsHeader } from './weights/header.ts';
export { weightsFromOnnx, type OnnxExportOptions } from './weights/weights-from-onnx.ts';

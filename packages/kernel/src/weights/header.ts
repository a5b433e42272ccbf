import { ARITHMETIC_VERSION } from '../arithmetic-version.ts';
import { KernelError } from '../errors.ts';

export const HEADER_BYTES = 128;
const MAGIC = 0x4b424d45; // 'EMBK'
const FORMAT_VERSION = 1;

export const FAMILIES = { bert: 1, distilbert: 2, roberta: 3 } as const;
export type ModelFamily = keyof typeof FAMILIES;

/** Sizes and settings of an encoder, as they stand at the start of a weights file. */
export interface WeightsHeader {
  /** XLM-RoBERTa is `roberta`: they differ in sizes only. */
  readonly family: ModelFamily;
  readonly layers: number;
  /** A multiple of 64. */
  readonly hidden: number;
  /** `hidden / heads` is 32, 64, 96 or 128. */
  readonly heads: number;
  /** A multiple of 64. */
  readonly intermediate: number;
  readonly vocabulary: number;
  /** Rows of the position table. */
  readonly positions: number;
  /** Row of the first token: 0, or 2 for RoBERTa. */
  readonly positionOffset: number;
  readonly pooling: 'mean' | 'cls';
  readonly normEpsilon: number;
  /** What is added to GELU outputs before they become unsigned 8 bits; 0.17 to 1. */
  readonly activationShift: number;
  readonly activation: 'gelu' | 'gelu-tanh';
}

/** One section of a weights file. Each starts at a multiple of 64 bytes. */
export interface Section {
  readonly name: string;
  readonly type: 'int8' | 'float32';
  readonly shape: readonly [number] | readonly [number, number];
}

/** The sections of a file in their order. Layers are numbered from 0: `layers.0.qkv.weights`. */
export function sectionsOf(header: WeightsHeader): readonly Section[] {
  const { hidden, intermediate, vocabulary, positions } = header;
  const int8 = (name: string, ...shape: [number, number]): Section => ({ name, type: 'int8', shape });
  const floats = (name: string, ...shape: [number] | [number, number]): Section => ({
    name,
    type: 'float32',
    shape,
  });
  const product = (name: string, depth: number, columns: number) => [
    int8(`${name}.weights`, depth, columns),
    floats(`${name}.scale`, columns),
    floats(`${name}.bias`, columns),
  ];
  const norm = (name: string) => [floats(`${name}.weight`, hidden), floats(`${name}.bias`, hidden)];
  const layer = (_: unknown, index: number) => [
    floats(`layers.${index}.smooth-attention`, hidden),
    ...product(`layers.${index}.qkv`, hidden, 3 * hidden),
    ...product(`layers.${index}.out`, hidden, hidden),
    ...norm(`layers.${index}.norm-1`),
    floats(`layers.${index}.smooth-feed`, hidden),
    ...product(`layers.${index}.up`, hidden, intermediate),
    ...product(`layers.${index}.down`, intermediate, hidden),
    ...norm(`layers.${index}.norm-2`),
  ];
  return [
    int8('words', vocabulary, hidden),
    floats('word-scale', vocabulary),
    floats('positions', positions, hidden),
    ...norm('norm'),
    ...Array.from({ length: header.layers }, layer).flat(),
  ];
}

export function sectionBytes({ type, shape }: Section): number {
  const [rows, columns = 1] = shape;
  return rows * columns * (type === 'int8' ? 1 : 4);
}

/** Where the next section starts. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

export function fileBytes(header: WeightsHeader): number {
  return sectionsOf(header).reduce((at, section) => at + aligned(sectionBytes(section)), HEADER_BYTES);
}

/** Writes the header into the first 128 bytes, all but the checksum. */
export function writeHeader(header: WeightsHeader, view: DataView): void {
  const words = [
    MAGIC,
    FORMAT_VERSION,
    ARITHMETIC_VERSION,
    FAMILIES[header.family],
    header.layers,
    header.hidden,
    header.heads,
    header.intermediate,
    header.vocabulary,
    header.positions,
    header.positionOffset,
    header.pooling === 'mean' ? 0 : 1,
  ];
  for (const [index, word] of words.entries()) view.setUint32(4 * index, word, true);
  view.setFloat32(48, header.normEpsilon, true);
  view.setFloat32(52, header.activationShift, true);
  view.setUint32(56, header.activation === 'gelu' ? 0 : 1, true);
  view.setBigUint64(64, BigInt(fileBytes(header)), true);
}

/**
 * Reads the sizes and settings of a weights file or a packed image. Sizes are checked by the kernel when it packs them.
 * @throws KernelError WEIGHTS_INVALID when it is not one, or of another version
 */
export function readHeader(file: Uint8Array): WeightsHeader {
  const invalid = (reason: string) =>
    new KernelError('WEIGHTS_INVALID', `The kernel's weights cannot be used: ${reason}.`);
  if (file.byteLength < HEADER_BYTES) throw invalid('the file is cut off');
  const view = new DataView(file.buffer, file.byteOffset, HEADER_BYTES);
  const word = (index: number) => view.getUint32(4 * index, true);
  if (word(0) !== MAGIC) throw invalid('it is not a weights file');
  if (word(1) !== FORMAT_VERSION || word(2) !== ARITHMETIC_VERSION)
    throw invalid(
      `it has format ${word(1)} and arithmetic ${word(2)}, this version takes ${FORMAT_VERSION} and ${ARITHMETIC_VERSION}; export it again`,
    );
  const family = Object.entries(FAMILIES).find(([, number]) => number === word(3))?.[0];
  if (family === undefined || word(11) > 1 || word(14) > 1) throw invalid('its header is damaged');
  return {
    family: family as ModelFamily,
    layers: word(4),
    hidden: word(5),
    heads: word(6),
    intermediate: word(7),
    vocabulary: word(8),
    positions: word(9),
    positionOffset: word(10),
    pooling: word(11) === 0 ? 'mean' : 'cls',
    normEpsilon: view.getFloat32(48, true),
    activationShift: view.getFloat32(52, true),
    activation: word(14) === 0 ? 'gelu' : 'gelu-tanh',
  };
}

import { KernelError } from '../errors.ts';
import { encodeWeights } from './encode-weights.ts';
import type { Section, WeightsHeader } from './header.ts';
import { readOnnxModel, type OnnxModel } from './onnx-model.ts';
import { QuantizedGraph } from './quantized-graph.ts';

export interface OnnxExportOptions {
  /** How token states become a vector. Defaults to `mean`. */
  readonly pooling?: 'mean' | 'cls';
}

/**
 * Makes the kernel's weights out of a BERT encoder that was quantized to ONNX by the project's 8-bit scheme, as the model
 * that ships is. Deterministic; takes a fraction of a second, so nothing is cached on disk.
 * @throws KernelError MODEL_UNSUPPORTED when the file holds another kind of graph, WEIGHTS_INVALID when it is damaged
 */
export function weightsFromOnnx(file: Uint8Array, { pooling = 'mean' }: OnnxExportOptions = {}): Uint8Array {
  const graph = new QuantizedGraph(readModel(file));
  const { words, positions, firstUp, layers } = graph;
  const header: WeightsHeader = {
    family: 'bert',
    layers,
    hidden: words.columns,
    heads: graph.heads,
    intermediate: firstUp.columns,
    vocabulary: words.rows,
    positions: positions.rows,
    positionOffset: 0,
    pooling,
    normEpsilon: graph.normEpsilon,
    activationShift: graph.activationShift,
    activation: 'gelu',
  };
  const sections = new Map(graph.sections());
  return encodeWeights(header, ({ name }: Section) => sections.get(name)?.() ?? new Uint8Array());
}

function readModel(file: Uint8Array): OnnxModel {
  try {
    return readOnnxModel(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new KernelError('WEIGHTS_INVALID', `The ONNX file cannot be read: ${reason}.`, { cause: error });
  }
}

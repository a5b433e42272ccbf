import { KernelError } from '../errors.ts';
import { ONNX_FLOAT, ONNX_INT8, type OnnxModel, type OnnxNode, type OnnxTensor } from './onnx-model.ts';

/** Nodes of a graph of the project's 8-bit scheme: so many per layer, and so many besides. */
const OPERATORS: Readonly<Record<string, readonly [perLayer: number, besides: number]>> = {
  MatMulIntegerToFloat: [6, 0],
  MultiHeadAttention: [1, 0],
  BiasGelu: [1, 0],
  LayerNormalization: [2, 1],
  QuantizeLinear: [4, 0],
  Abs: [3, 0],
  ReduceMax: [4, 0],
  Expand: [4, 0],
  Reshape: [12, 0],
  Mul: [12, 1],
  Add: [10, 2],
  Shape: [4, 2],
  Gather: [0, 5],
  Cast: [0, 2],
  Concat: [0, 1],
  Constant: [0, 6],
  Unsqueeze: [0, 1],
  Slice: [0, 1],
  ReduceSum: [0, 1],
};

/** A matrix of the graph. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly bytes: Uint8Array;
}

/** An encoder in ONNX as the project's 8-bit scheme writes it: finds each weight by following the nodes. */
export class QuantizedGraph {
  readonly layers: number;
  readonly heads: number;
  readonly normEpsilon: number;
  readonly activationShift: number;
  readonly words: Matrix;
  readonly positions: Matrix;
  readonly #model: OnnxModel;
  readonly #consumers = new Map<string, OnnxNode[]>();
  readonly #products: readonly OnnxNode[];
  readonly #norms: readonly OnnxNode[];
  readonly #attentions: readonly OnnxNode[];

  /** @throws KernelError MODEL_UNSUPPORTED */
  constructor(model: OnnxModel) {
    this.#model = model;
    for (const node of model.nodes)
      for (const input of node.inputs)
        this.#consumers.set(input, [...(this.#consumers.get(input) ?? []), node]);
    this.#products = this.#nodes('MatMulIntegerToFloat');
    this.#norms = this.#nodes('LayerNormalization');
    this.#attentions = this.#nodes('MultiHeadAttention');
    this.layers = this.#attentions.length;
    this.#checkOperators();
    this.heads = this.#attentions[0]?.attributes.get('num_heads') ?? 0;
    this.normEpsilon = this.#norms[0]?.attributes.get('epsilon') ?? 0;
    this.activationShift = this.#floats('q_gm', 1)[0] ?? 0;
    this.words = this.#matrix(this.#gathered('input_ids', ONNX_INT8), ONNX_INT8);
    this.positions = this.#matrix(this.#gathered(null, ONNX_FLOAT), ONNX_FLOAT);
  }

  /** The first feed-forward matrix of the first layer. */
  get firstUp(): Matrix {
    return this.#matrix(this.#at(this.#products, 4).inputs[1] ?? '', ONNX_INT8);
  }

  /** The bytes of every section by its name, made when they are asked for. */
  *sections(): Generator<[string, () => Uint8Array]> {
    const { columns: hidden, rows: vocabulary } = this.words;
    yield ['words', () => this.words.bytes];
    yield ['word-scale', () => bytesOf(this.#floats(this.#gathered('input_ids', ONNX_FLOAT), vocabulary))];
    yield ['positions', () => bytesOf(this.#placedPositions(hidden))];
    yield* this.#norm('norm', 0, hidden);
    for (let layer = 0; layer < this.layers; layer += 1) yield* this.#layer(layer, hidden);
  }

  *#layer(layer: number, hidden: number): Generator<[string, () => Uint8Array]> {
    const product = (index: number) => this.#at(this.#products, 6 * layer + index);
    const [query, key, value, out, up, down] = [0, 1, 2, 3, 4, 5].map(product) as [
      OnnxNode,
      OnnxNode,
      OnnxNode,
      OnnxNode,
      OnnxNode,
      OnnxNode,
    ];
    const name = `layers.${layer}`;
    yield [`${name}.smooth-attention`, () => bytesOf(this.#smoothing(2 * layer, hidden))];
    yield [`${name}.qkv.weights`, () => sideBySide([query, key, value].map((node) => this.#weights(node)))];
    yield [
      `${name}.qkv.scale`,
      () => bytesOf(joined([query, key, value].map((node) => this.#scale(node, hidden)))),
    ];
    const bias = this.#at(this.#attentions, layer).inputs[3] ?? '';
    yield [`${name}.qkv.bias`, () => bytesOf(this.#floats(bias, 3 * hidden))];
    yield* this.#product(`${name}.out`, out, hidden);
    yield* this.#norm(`${name}.norm-1`, 2 * layer + 1, hidden);
    yield [`${name}.smooth-feed`, () => bytesOf(this.#smoothing(2 * layer + 1, hidden))];
    yield* this.#product(`${name}.up`, up, this.firstUp.columns);
    yield* this.#product(`${name}.down`, down, hidden);
    yield* this.#norm(`${name}.norm-2`, 2 * layer + 2, hidden);
  }

  *#product(name: string, node: OnnxNode, columns: number): Generator<[string, () => Uint8Array]> {
    yield [`${name}.weights`, () => this.#weights(node).bytes];
    yield [`${name}.scale`, () => bytesOf(this.#scale(node, columns))];
    yield [`${name}.bias`, () => bytesOf(this.#biasAfter(node, columns))];
  }

  *#norm(name: string, index: number, hidden: number): Generator<[string, () => Uint8Array]> {
    const [, weight = '', bias = ''] = this.#at(this.#norms, index).inputs;
    yield [`${name}.weight`, () => bytesOf(this.#floats(weight, hidden))];
    yield [`${name}.bias`, () => bytesOf(this.#floats(bias, hidden))];
  }

  /** Positions plus the vector of token type 0, which every token of one text has. */
  #placedPositions(hidden: number): Float32Array {
    const type = this.#floats(this.#gathered('token_type_ids', ONNX_FLOAT), 2 * hidden);
    const placed = floatsOf(this.positions.bytes);
    for (let index = 0; index < placed.length; index += 1)
      placed[index] = (placed[index] ?? 0) + (type[index % hidden] ?? 0);
    return placed;
  }

  /** What a normed row is multiplied by before it is quantized. */
  #smoothing(norm: number, hidden: number): Float32Array {
    const output = this.#at(this.#norms, norm).outputs[0] ?? '';
    const smoothing = this.#after(output, 'Mul')
      .flatMap(({ inputs }) => inputs)
      .find((input) => this.#model.tensors.has(input));
    return this.#floats(smoothing ?? '', hidden);
  }

  /** All constants that are added behind a product and its scales: one, or two behind shifted rows. */
  #biasAfter(product: OnnxNode, columns: number): Float32Array {
    const total = new Float32Array(columns);
    let [node] = this.#after(product.outputs[0] ?? '', 'Mul');
    for (;;) {
      const output = node?.outputs[0] ?? '';
      node = this.#model.nodes.find(
        ({ operator, inputs }) =>
          (operator === 'Add' || operator === 'BiasGelu') &&
          inputs.includes(output) &&
          inputs.some((input) => this.#model.tensors.has(input)),
      );
      const constant = node?.inputs.find((input) => this.#model.tensors.has(input));
      if (constant === undefined) return total;
      for (const [index, value] of this.#floats(constant, columns).entries())
        total[index] = (total[index] ?? 0) + value;
      if (node?.operator === 'BiasGelu') return total;
    }
  }

  #weights(product: OnnxNode): Matrix {
    return this.#matrix(product.inputs[1] ?? '', ONNX_INT8);
  }

  #scale(product: OnnxNode, columns: number): Float32Array {
    return this.#floats(product.inputs[3] ?? '', columns);
  }

  /** The table that is looked up with an input of the graph; null: with what the graph computes, which is positions. */
  #gathered(input: string | null, type: number): string {
    const inputs = new Set(['input_ids', 'token_type_ids']);
    const fits = ({ inputs: [table = '', index = ''] }: OnnxNode) =>
      this.#model.tensors.get(table)?.type === type &&
      (input === null ? !inputs.has(index) : index === input);
    return this.#nodes('Gather').find(fits)?.inputs[0] ?? '';
  }

  #matrix(name: string, type: number): Matrix {
    const { shape, raw } = this.#tensor(name, type);
    const [rows = 0, columns = 0] = shape;
    if (shape.length !== 2) throw unsupported(`${name || 'a matrix'} has ${shape.length} dimensions`);
    return { rows, columns, bytes: raw };
  }

  #floats(name: string, length: number): Float32Array {
    const floats = floatsOf(this.#tensor(name, ONNX_FLOAT).raw);
    if (floats.length !== length)
      throw unsupported(`${name} has ${floats.length} numbers instead of ${length}`);
    return floats;
  }

  #tensor(name: string, type: number): OnnxTensor {
    const tensor = this.#model.tensors.get(name);
    if (tensor?.type !== type) throw unsupported(`it has no weights ${name || 'where they belong'}`);
    const wanted = tensor.shape.reduce((product, size) => product * size, type === ONNX_INT8 ? 1 : 4);
    if (tensor.raw.length !== wanted)
      throw new KernelError('WEIGHTS_INVALID', `The weights ${name} of the ONNX file are cut off.`);
    return tensor;
  }

  #after(output: string, operator: string): OnnxNode[] {
    return (this.#consumers.get(output) ?? []).filter((node) => node.operator === operator);
  }

  #nodes(operator: string): OnnxNode[] {
    return this.#model.nodes.filter((node) => node.operator === operator);
  }

  #at(nodes: readonly OnnxNode[], index: number): OnnxNode {
    const node = nodes[index];
    if (node === undefined) throw unsupported('a node is missing');
    return node;
  }

  #checkOperators(): void {
    const counts = new Map<string, number>();
    for (const { operator } of this.#model.nodes) counts.set(operator, (counts.get(operator) ?? 0) + 1);
    const foreign = [...counts.keys()].find((operator) => OPERATORS[operator] === undefined);
    if (foreign !== undefined) throw unsupported(`it has a node ${foreign}`);
    for (const [operator, [perLayer, besides]] of Object.entries(OPERATORS)) {
      const [count, wanted] = [counts.get(operator) ?? 0, perLayer * this.layers + besides];
      if (count !== wanted) throw unsupported(`it has ${count} nodes ${operator} instead of ${wanted}`);
    }
  }
}

function unsupported(reason: string): KernelError {
  return new KernelError(
    'MODEL_UNSUPPORTED',
    `The kernel does not take this ONNX file: it is not a BERT encoder in the project's 8-bit scheme (${reason}).`,
  );
}

/** Matrices of equal height next to each other. */
function sideBySide(matrices: readonly Matrix[]): Uint8Array {
  const width = matrices.reduce((sum, { columns }) => sum + columns, 0);
  const bytes = new Uint8Array((matrices[0]?.rows ?? 0) * width);
  let left = 0;
  for (const { rows, columns, bytes: source } of matrices) {
    for (let row = 0; row < rows; row += 1)
      bytes.set(source.subarray(row * columns, (row + 1) * columns), row * width + left);
    left += columns;
  }
  return bytes;
}

function joined(arrays: readonly Float32Array[]): Float32Array {
  return Float32Array.from(arrays.flatMap((array) => [...array]));
}

/** A copy, because bytes of the file are not aligned. */
function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}

function bytesOf(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}

import { readTensors, type Tensor, type TensorType } from './safetensors.ts';

/** A static model: a vector and a weight for each token. */
export interface TokenTable {
  /** Tokens that it knows: ids from 0 to here. */
  readonly size: number;
  readonly dimensions: number;
  /**
   * The unit vector of a text: the mean of its tokens' vectors, each times its weight, scaled to length 1.
   * Sums in double precision and in the order of the text, so that a text has one vector, to the bit.
   * @param target receives the vector; zeros when nothing is known of any token
   */
  pool(ids: readonly number[], target: Float32Array): void;
}

/** Types by the names that `dtype` has for transformers. */
const EMBEDDING_TYPES: Partial<Record<TensorType, string>> = { F32: 'fp32', F16: 'fp16', I8: 'int8' };

/** The tensors of a Model2Vec file: rows of numbers, and optionally the weight and the row of each token. */
export const TENSORS = { embeddings: 'embeddings', weights: 'weights', mapping: 'mapping' } as const;

/** The dtype of token vectors of this type, or null when they cannot be read. */
export function dtypeOf(type: TensorType): string | null {
  return EMBEDDING_TYPES[type] ?? null;
}

/**
 * Reads the tensors of a Model2Vec file. One scale over all of the vectors changes nothing, since texts get unit
 * vectors: that is why 8-bit files need none.
 * @throws Error that says what is wrong with the file
 */
export async function readTokenTable(path: string): Promise<TokenTable> {
  const tensors = await readTensors(path, Object.values(TENSORS));
  const embeddings = tensors.get(TENSORS.embeddings);
  const [rows = 0, dimensions = 0] = embeddings?.shape ?? [];
  if (embeddings === undefined || embeddings.shape.length !== 2 || rows * dimensions === 0) {
    throw new Error(`it has no tensor "${TENSORS.embeddings}" of two dimensions`);
  }
  const values = rowsOf(embeddings);
  const mapping = vectorNamed(tensors, TENSORS.mapping);
  const weights = vectorNamed(tensors, TENSORS.weights);
  const size = mapping?.length ?? rows;
  if (weights !== null && weights.length !== size) {
    throw new Error(`it has ${weights.length} weights for ${size} tokens`);
  }
  if (mapping?.some((row) => !(row >= 0 && row < rows)) === true) {
    throw new Error(`its mapping names rows beyond the ${rows} that it has`);
  }
  return { size, dimensions, pool: createPool({ values, dimensions, mapping, weights }) };
}

interface TableParts {
  readonly values: Float32Array | Int8Array;
  readonly dimensions: number;
  readonly mapping: Float64Array | null;
  readonly weights: Float64Array | null;
}

function createPool({ values, dimensions, mapping, weights }: TableParts): TokenTable['pool'] {
  const sum = new Float64Array(dimensions);
  return (ids, target) => {
    sum.fill(0);
    for (const id of ids) {
      const weight = weights === null ? 1 : (weights[id] ?? 0);
      const start = (mapping === null ? id : (mapping[id] ?? 0)) * dimensions;
      for (let index = 0; index < dimensions; index += 1)
        sum[index] = (sum[index] ?? 0) + weight * (values[start + index] ?? 0);
    }
    let squares = 0;
    for (const value of sum) squares += value * value;
    const norm = squares === 0 ? 1 : Math.sqrt(squares);
    for (let index = 0; index < dimensions; index += 1) target[index] = (sum[index] ?? 0) / norm;
  };
}

function vectorNamed(tensors: ReadonlyMap<string, Tensor>, name: string): Float64Array | null {
  const tensor = tensors.get(name);
  if (tensor === undefined) return null;
  if (tensor.shape.length !== 1)
    throw new Error(`its tensor "${name}" has ${tensor.shape.length} dimensions`);
  return new Float64Array(numbersOf(tensor));
}

/** Half-precision numbers are slow to compute with; 8-bit ones are not, and take a quarter of the memory. */
function rowsOf(tensor: Tensor): Float32Array | Int8Array {
  if (tensor.type === 'I8') return new Int8Array(tensor.bytes.buffer);
  if (dtypeOf(tensor.type) === null) throw new Error(`its vectors are of type ${tensor.type}`);
  return new Float32Array(numbersOf(tensor));
}

function numbersOf({ type, bytes }: Tensor): ArrayLike<number> {
  const { buffer } = bytes;
  switch (type) {
    case 'F64':
      return new Float64Array(buffer);
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return new Float16Array(buffer);
    case 'I8':
      return new Int8Array(buffer);
    case 'I32':
      return new Int32Array(buffer);
    case 'I64':
      return Float64Array.from(new BigInt64Array(buffer), Number);
  }
}

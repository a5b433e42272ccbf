/**
 * Turns the hidden states of one text into its unit vector. The only place where that is done, and one text at a time:
 * nothing here can depend on a text's neighbours.
 * @param hidden [tokens x dimensions] of one text without padding, row by row
 * @param target receives the vector
 */
export function poolAndNormalize(
  hidden: Float32Array,
  dimensions: number,
  pooling: 'mean' | 'cls',
  target: Float32Array,
): void {
  const tokens = pooling === 'cls' ? 1 : hidden.length / dimensions;
  const sum = new Float64Array(dimensions);
  for (let token = 0, offset = 0; token < tokens; token += 1) {
    for (let index = 0; index < dimensions; index += 1, offset += 1)
      sum[index] = (sum[index] ?? 0) + (hidden[offset] ?? 0);
  }
  let squares = 0;
  for (const value of sum) squares += value * value;
  const norm = Math.sqrt(squares);
  for (let index = 0; index < dimensions; index += 1) target[index] = (sum[index] ?? 0) / norm;
}

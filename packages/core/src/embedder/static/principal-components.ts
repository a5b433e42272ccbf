import { EigenvalueDecomposition, Matrix } from 'ml-matrix';

/** The directions in which rows of numbers differ most from each other. */
export interface PrincipalComponents {
  /** The middle of the rows. */
  readonly mean: Float64Array;
  /** Orthonormal directions, the one with the most variance first. */
  readonly components: readonly Float64Array[];
  /** Variance of the rows along each of them. */
  readonly variances: readonly number[];
}

/**
 * Principal components of rows, through the eigenvectors of their covariance. Of the two directions of each the one is
 * taken whose largest number is positive, so that equal rows give equal components.
 * @param rows `dimensions` numbers of one row after the other
 */
export function principalComponents(rows: Float32Array, dimensions: number): PrincipalComponents {
  const mean = meanRow(rows, dimensions);
  const { realEigenvalues: variances, eigenvectorMatrix } = new EigenvalueDecomposition(
    covariance(rows, mean),
    { assumeSymmetric: true },
  );
  const order = variances
    .map((variance, column) => ({ variance, column }))
    .sort((a, b) => b.variance - a.variance);
  return {
    mean,
    components: order.map(({ column }) => facingUp(eigenvectorMatrix.getColumn(column))),
    variances: order.map(({ variance }) => Math.max(0, variance)),
  };
}

/** Coordinates of the rows along the first `count` components, row by row. */
export function project(
  rows: Float32Array,
  { mean, components }: PrincipalComponents,
  count: number,
): Float32Array {
  const dimensions = mean.length;
  const kept = components.slice(0, count);
  // The middle goes to zero: its own coordinates are taken off those of each row.
  const origin = kept.map((component) => dot(component, mean, 0));
  const projected = new Float32Array((rows.length / dimensions) * kept.length);
  for (let start = 0, target = 0; start < rows.length; start += dimensions) {
    for (const [index, component] of kept.entries()) {
      projected[target] = dot(component, rows, start) - (origin[index] ?? 0);
      target += 1;
    }
  }
  return projected;
}

function meanRow(rows: Float32Array, dimensions: number): Float64Array {
  const mean = new Float64Array(dimensions);
  for (let start = 0; start < rows.length; start += dimensions) {
    for (let index = 0; index < dimensions; index += 1)
      mean[index] = (mean[index] ?? 0) + (rows[start + index] ?? 0);
  }
  const count = Math.max(1, rows.length / dimensions);
  return mean.map((sum) => sum / count);
}

function covariance(rows: Float32Array, mean: Float64Array): Matrix {
  const dimensions = mean.length;
  const sums = new Float64Array(dimensions * dimensions);
  const centred = new Float64Array(dimensions);
  for (let start = 0; start < rows.length; start += dimensions) {
    for (let index = 0; index < dimensions; index += 1)
      centred[index] = (rows[start + index] ?? 0) - (mean[index] ?? 0);
    for (let a = 0; a < dimensions; a += 1) {
      const value = centred[a] ?? 0;
      for (let b = a; b < dimensions; b += 1) {
        const cell = a * dimensions + b;
        sums[cell] = (sums[cell] ?? 0) + value * (centred[b] ?? 0);
      }
    }
  }
  const count = Math.max(1, rows.length / dimensions);
  const cell = (a: number, b: number) => (sums[Math.min(a, b) * dimensions + Math.max(a, b)] ?? 0) / count;
  return new Matrix(
    Array.from({ length: dimensions }, (_, a) => Array.from({ length: dimensions }, (__, b) => cell(a, b))),
  );
}

function facingUp(direction: readonly number[]): Float64Array {
  const largest = direction.reduce((found, value) => (Math.abs(value) > Math.abs(found) ? value : found), 0);
  const sign = largest < 0 ? -1 : 1;
  return Float64Array.from(direction, (value) => sign * value);
}

function dot(component: Float64Array, numbers: Float32Array | Float64Array, start: number): number {
  let sum = 0;
  for (let index = 0; index < component.length; index += 1)
    sum += (component[index] ?? 0) * (numbers[start + index] ?? 0);
  return sum;
}

import { setImmediate as yieldToEventLoop } from 'node:timers/promises';

/** Texts as token ids, and the vectors that their sums shall come near to, row by row. */
export interface FitSample {
  readonly texts: readonly (readonly number[])[];
  readonly targets: Float32Array;
}

export interface FitOptions {
  /** Where to start, and where tokens stay that occur in no text: a row for each token id. */
  readonly rows: Float32Array;
  readonly dimensions: number;
  readonly sample: FitSample;
  readonly signal?: AbortSignal | undefined;
}

/** How much it costs to leave the start, against a text that is missed; chosen by measurement, as all here. */
const RIDGE = 1;
/** Conjugate gradients are near the end by then. */
const ITERATIONS = 15;

/**
 * Moves token vectors so that the sum of those of a text, divided by the square root of their number, comes as near as
 * it can to the text's target: least squares with a ridge around the start, each dimension for itself, by conjugate
 * gradients. A token's vector so takes on what its company says of a text, which no pass of one token alone can tell.
 */
export async function fitTokenVectors(options: FitOptions): Promise<Float32Array> {
  const { dimensions, sample, signal } = options;
  const { sumTokens, spread } = bagsOfTokens(sample.texts, dimensions);
  const rows = scaledToTargets(options.rows, sumTokens(options.rows), sample.targets);
  const missed = sumTokens(rows).map((value, index) => (sample.targets[index] ?? 0) - value);
  const residual = spread(missed, rows.length);
  const direction = residual.slice();
  let squares = columnDots(residual, residual, dimensions);
  for (let iteration = 0; iteration < ITERATIONS; iteration += 1) {
    await yieldToEventLoop();
    signal?.throwIfAborted();
    const image = spread(sumTokens(direction), rows.length);
    add(image, direction, Array<number>(dimensions).fill(RIDGE));
    const curvature = columnDots(direction, image, dimensions);
    const steps = squares.map((square, column) => ratio(square, curvature[column] ?? 0));
    add(rows, direction, steps);
    add(
      residual,
      image,
      steps.map((step) => -step),
    );
    const remaining = columnDots(residual, residual, dimensions);
    const turns = remaining.map((square, column) => ratio(square, squares[column] ?? 0));
    for (let index = 0; index < direction.length; index += 1)
      direction[index] = (residual[index] ?? 0) + (turns[index % dimensions] ?? 0) * (direction[index] ?? 0);
    squares = remaining;
  }
  return rows;
}

/** The matrix of which token is how often in which text, as its product with rows and that of its transpose. */
function bagsOfTokens(texts: FitSample['texts'], dimensions: number) {
  const scaleOf = (ids: readonly number[]) => 1 / Math.sqrt(Math.max(1, ids.length));
  const accumulate = (
    target: Float32Array,
    to: number,
    source: Float32Array,
    from: number,
    scale: number,
  ) => {
    for (let index = 0; index < dimensions; index += 1)
      target[to + index] = (target[to + index] ?? 0) + scale * (source[from + index] ?? 0);
  };
  return {
    sumTokens: (rows: Float32Array): Float32Array => {
      const sums = new Float32Array(texts.length * dimensions);
      for (const [text, ids] of texts.entries())
        for (const id of ids) accumulate(sums, text * dimensions, rows, id * dimensions, scaleOf(ids));
      return sums;
    },
    spread: (values: Float32Array, length: number): Float32Array => {
      const rows = new Float32Array(length);
      for (const [text, ids] of texts.entries())
        for (const id of ids) accumulate(rows, id * dimensions, values, text * dimensions, scaleOf(ids));
      return rows;
    },
  };
}

/** The rows, times the one number that brings their sums nearest to the targets. */
function scaledToTargets(rows: Float32Array, sums: Float32Array, targets: Float32Array): Float32Array {
  let product = 0;
  let squares = 0;
  for (let index = 0; index < sums.length; index += 1) {
    product += (sums[index] ?? 0) * (targets[index] ?? 0);
    squares += (sums[index] ?? 0) ** 2;
  }
  const scale = product > 0 ? product / squares : 1;
  return rows.map((value) => value * scale);
}

function columnDots(a: Float32Array, b: Float32Array, dimensions: number): number[] {
  const dots = new Float64Array(dimensions);
  for (let start = 0; start < a.length; start += dimensions) {
    for (let index = 0; index < dimensions; index += 1)
      dots[index] = (dots[index] ?? 0) + (a[start + index] ?? 0) * (b[start + index] ?? 0);
  }
  return [...dots];
}

/** Adds `source` to `target`, each column times its own factor. */
function add(target: Float32Array, source: Float32Array, factors: readonly number[]): void {
  for (let start = 0; start < target.length; start += factors.length) {
    for (let index = 0; index < factors.length; index += 1)
      target[start + index] =
        (target[start + index] ?? 0) + (factors[index] ?? 0) * (source[start + index] ?? 0);
  }
}

function ratio(numerator: number, denominator: number): number {
  return denominator > 0 ? numerator / denominator : 0;
}

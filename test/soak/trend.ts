/** The straight line through samples, by least squares. */
export interface Trend {
  readonly slope: number;
  /** Standard error of the slope: how far it may be off by the scatter of the samples alone. */
  readonly error: number;
}

/** @param samples at least three, not all at one x */
export function trendOf(samples: readonly (readonly [x: number, y: number])[]): Trend {
  const n = samples.length;
  const meanX = samples.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = samples.reduce((sum, [, y]) => sum + y, 0) / n;
  const squares = samples.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = samples.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / squares;
  const residuals = samples.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0);
  return { slope, error: Math.sqrt(residuals / (n - 2) / squares) };
}

import { EmbedlineError } from '../errors.ts';
import type { Generation, Point } from './vector-store.ts';

/**
 * Refuses, before anything is written, vectors that a store would take and searches would then trip over.
 * @throws EmbedlineError STORE_REJECTED that names the point
 */
export function assertPoints(points: readonly Point[], generation: Generation): void {
  const { dimensions } = generation.manifest.model;
  for (const { chunk, vector } of points) {
    const problem = problemOf(vector, dimensions);
    if (problem === null) continue;
    throw new EmbedlineError(
      'STORE_REJECTED',
      `The vector of chunk ${chunk.chunkIndex} of document ${JSON.stringify(chunk.documentId)} (point ${chunk.id}) ${problem}; ` +
        `${generation.name} takes unit vectors of ${dimensions} finite numbers. Check the model.`,
    );
  }
}

function problemOf(vector: Float32Array, dimensions: number): string | null {
  if (vector.length !== dimensions) return `has ${vector.length} numbers`;
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (!Number.isFinite(squares)) return 'holds a number that is not finite';
  return squares === 0 ? 'is zero' : null;
}

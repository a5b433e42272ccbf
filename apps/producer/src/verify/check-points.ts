import {
  embeddedText,
  payloadHash,
  pointId,
  STALE_PAYLOAD_HASH,
  textHash,
  type GenerationPoints,
  type StoredPoint,
} from '@embedline/core';
import type { WrongPoint } from './check-vectors.ts';

export interface CheckPointsOptions {
  readonly points: GenerationPoints;
  readonly pipeline: string;
  readonly passagePrefix: string;
  /** Whether titles are embedded above their texts. */
  readonly embedTitle: boolean;
  readonly dimensions: number;
  readonly signal: AbortSignal;
}

/** Points that contradict themselves: changed by something that is not embedline, or damaged. */
export interface CheckedPoints {
  readonly checked: number;
  readonly altered: number;
  /** The first of them. */
  readonly sample: readonly WrongPoint[];
}

const POINTS_PER_REQUEST = 500;
/** Kept in detail, for a repair. */
const MAX_KEPT = 10_000;
/** Of the square of a unit vector's length, after a store has rounded its numbers. */
const TOLERANCE = 1e-2;

/** Reads every point of a pipeline whole, and makes its id and its hashes again from what it holds. */
export async function checkPoints(options: CheckPointsOptions): Promise<CheckedPoints> {
  const { points, pipeline, signal } = options;
  let [checked, altered] = [0, 0];
  const sample: WrongPoint[] = [];
  for await (const page of points.scan({ pipeline, signal })) {
    for (let start = 0; start < page.length; start += POINTS_PER_REQUEST) {
      const slice = page.slice(start, start + POINTS_PER_REQUEST);
      const found = await points.retrieve(
        slice.map(({ id }) => id),
        { signal },
      );
      for (const { id, documentId, chunkIndex } of slice) {
        checked += 1;
        const why = problemOf(found.get(id), options);
        if (why === null) continue;
        altered += 1;
        if (sample.length < MAX_KEPT) sample.push({ id, documentId, chunkIndex, why });
      }
    }
  }
  return { checked, altered, sample };
}

function problemOf(point: StoredPoint | undefined, options: CheckPointsOptions): string | null {
  if (point === undefined) return 'it has no vector, or its payload is not of embedline';
  const { chunk, vector } = point;
  const { pipeline, passagePrefix, embedTitle } = options;
  if (chunk.pipeline !== pipeline || pointId(pipeline, chunk.documentId, chunk.chunkIndex) !== chunk.id)
    return 'its id is not the one of its document and chunk';
  if (textHash(passagePrefix, embeddedText(chunk, embedTitle)) !== chunk.textHash)
    return 'its text is not the one that its hash was made from';
  const rest = payloadHash(chunk, chunk.metadata);
  if (chunk.payloadHash !== rest && chunk.payloadHash !== STALE_PAYLOAD_HASH)
    return 'its title, metadata or offsets are not those that its hash was made from';
  if (chunk.chunkIndex > 0 && chunk.documentMark !== null) return 'it has the mark of a first chunk';
  return isUnit(vector, options) ? null : 'its vector is not of unit length, or of another size';
}

function isUnit(vector: Float32Array, { dimensions }: CheckPointsOptions): boolean {
  const square = vector.reduce((sum, value) => sum + value * value, 0);
  return vector.length === dimensions && Math.abs(square - 1) <= TOLERANCE;
}

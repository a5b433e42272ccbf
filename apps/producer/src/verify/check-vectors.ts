import {
  embeddedText,
  textHash,
  type Embedder,
  type Embeddings,
  type GenerationPoints,
  type StoredPoint,
} from '@embedline/core';

export interface CheckVectorsOptions {
  /** Of the points to check; those that are not there are left out. */
  readonly ids: readonly string[];
  readonly points: GenerationPoints;
  readonly embedder: Embedder;
  /** Whether titles are embedded above their texts. */
  readonly embedTitle: boolean;
  /** Cosine below which a vector is not the one of its text. */
  readonly minCosine: number;
  readonly signal: AbortSignal;
}

export interface CheckedVectors {
  readonly checked: number;
  /** Smallest and mean cosine between stored and fresh vectors; null when none was checked. */
  readonly minCosine: number | null;
  readonly meanCosine: number | null;
  /** Points whose text is longer than the model takes: their end has no part in their vector. */
  readonly truncated: number;
  /** Points whose vector, or whose text, is not what their hash says. */
  readonly wrong: readonly WrongPoint[];
}

export interface WrongPoint {
  readonly id: string;
  readonly documentId: string;
  readonly chunkIndex: number;
  readonly why: string;
}

const POINTS_PER_REQUEST = 256;

/** Embeds the stored texts of a sample again, and compares the vectors with those that are stored. */
export async function checkVectors(options: CheckVectorsOptions): Promise<CheckedVectors> {
  const { ids, points, signal } = options;
  const cosines: number[] = [];
  const wrong: WrongPoint[] = [];
  let truncated = 0;
  for (let start = 0; start < ids.length; start += POINTS_PER_REQUEST) {
    const found = await points.retrieve(ids.slice(start, start + POINTS_PER_REQUEST), { signal });
    const stored = [...found.values()];
    const again = await embedAgain(stored, options);
    const fresh = again.vectors;
    truncated += again.truncated?.filter((isTruncated) => isTruncated).length ?? 0;
    stored.forEach((point, index) => {
      const cosine = cosineOf(point.vector, fresh[index] ?? new Float32Array());
      cosines.push(cosine);
      const why = problemOf(point, cosine, options);
      const { id, documentId, chunkIndex } = point.chunk;
      if (why !== null) wrong.push({ id, documentId, chunkIndex, why });
    });
  }
  if (cosines.length === 0) return { checked: 0, minCosine: null, meanCosine: null, truncated, wrong };
  const sum = cosines.reduce((total, cosine) => total + cosine, 0);
  return {
    checked: cosines.length,
    minCosine: cosines.reduce((least, cosine) => Math.min(least, cosine)),
    meanCosine: sum / cosines.length,
    truncated,
    wrong,
  };
}

async function embedAgain(
  stored: readonly StoredPoint[],
  { embedder, embedTitle, signal }: CheckVectorsOptions,
): Promise<Embeddings> {
  const { passagePrefix } = embedder.model;
  return embedder.embed(
    stored.map(({ chunk }) => passagePrefix + embeddedText(chunk, embedTitle)),
    { signal },
  );
}

function problemOf(
  { chunk }: StoredPoint,
  cosine: number,
  { embedder, embedTitle, minCosine }: CheckVectorsOptions,
): string | null {
  if (textHash(embedder.model.passagePrefix, embeddedText(chunk, embedTitle)) !== chunk.textHash)
    return 'its text is not the one that its hash was made from';
  // Also true of NaN.
  if (!(cosine >= minCosine)) return `its vector has a cosine of ${cosine.toFixed(4)} to the one of its text`;
  return null;
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? Number.NaN;
    dot += value * other;
    aa += value * value;
    bb += other * other;
  }
  return dot / Math.sqrt(aa * bb);
}

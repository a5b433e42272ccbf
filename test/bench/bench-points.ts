import { pointId, textHash, type GenerationManifest, type Point } from '@embedline/core';
import { MANIFEST } from '../support/points.ts';

export const BENCH_DIMENSIONS = 384;
/** As long as a chunk of prose is: about 330 characters. */
const FILLER = 'The water of the river stood high on that day, and the bridges were closed to carts. '.repeat(
  4,
);
const CHUNKS_PER_DOCUMENT = 4;

export const BENCH_MANIFEST: GenerationManifest = {
  ...MANIFEST,
  model: { ...MANIFEST.model, dimensions: BENCH_DIMENSIONS },
};

/** Points `from` to `from + count` of an endless corpus, always the same; vectors are taken by turns from a few hundred. */
export function benchPoints(from: number, count: number): Point[] {
  return Array.from({ length: count }, (_, offset) => pointAt(from + offset));
}

function pointAt(index: number): Point {
  const documentId = `reports/${Math.floor(index / CHUNKS_PER_DOCUMENT)}.md`;
  const chunkIndex = index % CHUNKS_PER_DOCUMENT;
  const text = `Report ${index}. ${FILLER}`;
  const chunk = {
    id: pointId('bench', documentId, chunkIndex),
    pipeline: 'bench',
    documentId,
    chunkIndex,
    text,
    title: null,
    start: 0,
    end: text.length,
    tokens: 80,
    metadata: { year: 1900 + (index % 100) },
    textHash: textHash('', text),
    payloadHash: textHash('payload', documentId),
    documentMark: null,
  };
  return { chunk, vector: VECTORS[index % VECTORS.length] ?? new Float32Array(BENCH_DIMENSIONS) };
}

const VECTORS = Array.from({ length: 512 }, (_, seed) => unitVector(seed + 1));

/** Numbers as they come out of a model: all different, with all of their bits. */
function unitVector(seed: number): Float32Array {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state / 2 ** 31;
  };
  const numbers = Array.from({ length: BENCH_DIMENSIONS }, () => next() + next());
  const length = Math.hypot(...numbers);
  return Float32Array.from(numbers, (value) => value / length);
}

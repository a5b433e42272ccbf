import type { GenerationPoints } from '@embedline/core';

/** Hashes and ids in one lookup. */
export const LOOKUP_SIZE = 1000;

/** A point may be overwritten between the two requests that a vector takes; so often another one is looked for. */
const TRIES = 3;

/** The vectors that a generation has for texts, by text hash; what it does not have is absent. */
export async function vectorsByTextHash(
  hashes: Iterable<string>,
  points: GenerationPoints,
  signal: AbortSignal,
): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  const all = [...new Set(hashes)];
  for (let start = 0; start < all.length; start += LOOKUP_SIZE) {
    let wanted = all.slice(start, start + LOOKUP_SIZE);
    for (let attempt = 0; attempt < TRIES && wanted.length > 0; attempt += 1) {
      const sources = await points.findByTextHash(wanted, { signal });
      if (sources.size === 0) break;
      const found = await points.retrieve([...sources.values()], { signal });
      // The point's own hash decides.
      for (const { chunk, vector } of found.values()) vectors.set(chunk.textHash, vector);
      wanted = [...sources.keys()].filter((hash) => !vectors.has(hash));
    }
  }
  return vectors;
}

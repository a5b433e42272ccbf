import type { GenerationPoints } from '@embedline/core';

/** Hashes and ids in one lookup. */
export const LOOKUP_SIZE = 1000;

/** The vectors that a generation has for texts, by text hash; what it does not have is absent. */
export async function vectorsByTextHash(
  hashes: Iterable<string>,
  points: GenerationPoints,
  signal: AbortSignal,
): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  const wanted = [...new Set(hashes)];
  for (let start = 0; start < wanted.length; start += LOOKUP_SIZE) {
    const sources = await points.findByTextHash(wanted.slice(start, start + LOOKUP_SIZE), { signal });
    if (sources.size === 0) continue;
    const found = await points.retrieve([...sources.values()], { signal });
    // The point may have been overwritten since its id was looked up: its own hash decides.
    for (const { chunk, vector } of found.values()) vectors.set(chunk.textHash, vector);
  }
  return vectors;
}

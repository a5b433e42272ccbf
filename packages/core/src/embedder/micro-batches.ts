/** Texts that go through the network together: positions within the call, all of one token length. */
export interface MicroBatch {
  readonly tokens: number;
  readonly positions: readonly number[];
}

/**
 * Puts texts of exactly equal token length together, at most `maxTokens` tokens at a time (but at least one text): no
 * padding is computed, and a text's company cannot change its vector through a mask. Small batches are the fastest on
 * a CPU, since they stay in its cache (performance notes: about 512 tokens).
 * @param lengths token count of each text
 * @param maxTokens 0 puts each text alone
 */
export function planMicroBatches(lengths: readonly number[], maxTokens: number): MicroBatch[] {
  const byLength = new Map<number, number[]>();
  lengths.forEach((tokens, position) => {
    const group = byLength.get(tokens);
    if (group === undefined) byLength.set(tokens, [position]);
    else group.push(position);
  });
  return [...byLength].flatMap(([tokens, positions]) => {
    const size = Math.max(1, Math.floor(maxTokens / Math.max(tokens, 1)));
    return Array.from({ length: Math.ceil(positions.length / size) }, (_, index) => ({
      tokens,
      positions: positions.slice(index * size, (index + 1) * size),
    }));
  });
}

const CANARY_TEXT = 'The quick brown fox jumps over the lazy dog, then writes 42 lines about it.';

export interface BatchInvarianceOptions {
  /** Token ids of a text, special tokens included. */
  readonly encode: (text: string) => readonly number[];
  /** Sends texts of one token length through the network together; their vectors, one after the other. */
  readonly run: (texts: readonly (readonly number[])[]) => Promise<Float32Array>;
  readonly dimensions: number;
}

/**
 * Embeds texts of one length alone and together: the vectors must be equal to the bit. Models whose activations are
 * scaled over the whole batch fail this (hazards O5), and their texts must go through the network one at a time.
 */
export async function isBatchInvariant({
  encode,
  run,
  dimensions,
}: BatchInvarianceOptions): Promise<boolean> {
  const ids = encode(CANARY_TEXT);
  const variants = [
    ids,
    [...ids.slice(0, 1), ...ids.slice(1, -1).toReversed(), ...ids.slice(-1)],
    ids.map(() => ids[1] ?? 0),
  ];
  const together = await run(variants);
  for (const [index, variant] of variants.entries()) {
    const alone = await run([variant]);
    if (alone.some((value, position) => value !== together[index * dimensions + position])) return false;
  }
  return true;
}

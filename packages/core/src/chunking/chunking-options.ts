import { z } from 'zod';

/** Bump when the same text is cut differently: that makes a new generation. */
export const CHUNKING_VERSION = 2;

/** How documents are cut. */
export interface ChunkingOptions {
  /** Most tokens of a chunk, special tokens included. Defaults to the model's longest input. */
  readonly maxTokens: number;
  /**
   * Tokens of the preceding text that a chunk repeats at its start. Defaults to 0: chunks end at the ends of
   * paragraphs and sentences, so nothing is torn, and every repeated token is embedded twice.
   */
  readonly overlapTokens: number;
}

const MIN_CHUNK_TOKENS = 16;

/** @throws ZodError that names the option */
export function parseChunkingOptions(
  options: { readonly maxTokens?: number | undefined; readonly overlapTokens?: number | undefined },
  modelMaxTokens: number,
): ChunkingOptions {
  const maxTokens = z
    .int()
    .min(MIN_CHUNK_TOKENS, `expected at least ${MIN_CHUNK_TOKENS} tokens a chunk`)
    .max(
      modelMaxTokens,
      `the model takes at most ${modelMaxTokens} tokens; what is beyond would be cut off unseen`,
    )
    .parse(options.maxTokens ?? modelMaxTokens);
  const overlapTokens = z
    .int()
    .min(0)
    .max(
      Math.floor(maxTokens / 2),
      `expected an overlap of at most half a chunk (${Math.floor(maxTokens / 2)} tokens)`,
    )
    .parse(options.overlapTokens ?? 0);
  return Object.freeze({ maxTokens, overlapTokens });
}

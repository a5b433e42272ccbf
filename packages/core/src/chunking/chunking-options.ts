import { z } from 'zod';

/** Bump when the same text is cut or embedded differently: that makes a new generation. */
export const CHUNKING_VERSION = 3;

/** How documents are cut. */
export interface ChunkingOptions {
  /** Most tokens that the model gets for a chunk, special tokens and prefix included. Defaults to its longest input. */
  readonly maxTokens: number;
  /**
   * Tokens of the preceding text that a chunk repeats at its start. Defaults to 0: chunks end at the ends of
   * paragraphs and sentences, so nothing is torn, and every repeated token is embedded twice.
   */
  readonly overlapTokens: number;
  /** What the model wants before each text. Defaults to nothing. */
  readonly passagePrefix?: string;
  /** Embed each chunk's title above its text. Defaults to false. */
  readonly embedTitle?: boolean;
  /** Embed the header row of a table above each further chunk of it. Defaults to false. */
  readonly repeatTableHeader?: boolean;
}

const MIN_CHUNK_TOKENS = 16;

/** @throws ZodError that names the option */
export function parseChunkingOptions(
  options: {
    readonly maxTokens?: number | undefined;
    readonly overlapTokens?: number | undefined;
    readonly passagePrefix?: string | undefined;
    readonly embedTitle?: boolean | undefined;
    readonly repeatTableHeader?: boolean | undefined;
  },
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
  const { passagePrefix = '', embedTitle = false, repeatTableHeader = false } = options;
  return Object.freeze({
    maxTokens,
    overlapTokens,
    ...(passagePrefix === '' ? {} : { passagePrefix }),
    ...(embedTitle ? { embedTitle } : {}),
    ...(repeatTableHeader ? { repeatTableHeader } : {}),
  });
}

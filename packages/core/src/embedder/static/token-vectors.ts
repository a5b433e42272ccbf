import type { TextTokenizer } from '../tokenizer.ts';

/** Runs token ids through a network: texts of one length, one after the other, into unit vectors, likewise. */
export type RunNetwork = (ids: Int32Array, texts: number) => Promise<Float32Array>;

/** Tokens that go through the network together, special tokens included. */
const MICRO_BATCH_TOKENS = 512;

/** Ids of the tokens that can occur in a text, in order: no special, unknown or reserved ones. */
export function textTokenIds(tokenizer: TextTokenizer): number[] {
  return Array.from({ length: tokenizer.vocabularySize }, (_, id) => id).filter((id) => {
    const token = tokenizer.tokenOf(id);
    return (
      token !== undefined &&
      id !== tokenizer.unknownId &&
      !tokenizer.isSpecial(id) &&
      !/^\[unused\d+\]$/.test(token)
    );
  });
}

export interface TokenVectorsOptions {
  readonly ids: readonly number[];
  readonly tokenizer: TextTokenizer;
  readonly run: RunNetwork;
  readonly dimensions: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((tokensDone: number) => void) | undefined;
}

/** The vector that a network gives each token as a text of its own, row by row. */
export async function tokenVectors(options: TokenVectorsOptions): Promise<Float32Array> {
  const { ids, tokenizer, run, dimensions, signal, onProgress } = options;
  const vectors = new Float32Array(ids.length * dimensions);
  const size = Math.max(1, Math.floor(MICRO_BATCH_TOKENS / tokenizer.alone(0).length));
  for (let start = 0; start < ids.length; start += size) {
    signal?.throwIfAborted();
    const batch = ids.slice(start, start + size);
    const sequences = Int32Array.from(batch.flatMap((id) => tokenizer.alone(id)));
    vectors.set(await run(sequences, batch.length), start * dimensions);
    onProgress?.(start + batch.length);
  }
  return vectors;
}

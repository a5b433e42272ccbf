import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { EmbedlineError, messageOf } from '../../errors.ts';
import type { Embedder, Embeddings, EmbedOptions, ModelSpec } from '../embedder.ts';
import type { ResolvedModel } from '../resolve-model.ts';
import { loadTokenizer, type TextTokenizer } from '../tokenizer.ts';
import { readTokenTable, type TokenTable } from './token-table.ts';

/** So many tokens are embedded at a stretch, a few milliseconds: this thread renews locks as well. */
const TOKENS_PER_SLICE = 4_000;

/**
 * Embeds without a network, with the token vectors of a static model. It does so in this process, a slice at a time:
 * nine tenths of the work are cutting texts into tokens (530 of 590 us for 195 tokens), which is done here for every
 * model, and adding up rows costs less than handing ids and vectors to another process and back would. More cores are
 * for more workers.
 * @throws EmbedlineError MODEL_INVALID
 */
export async function createStaticEmbedder({
  spec,
  directory,
  weightsFile,
}: ResolvedModel): Promise<StaticEmbedder> {
  const tokenizer = await loadTokenizer(directory, { specialTokens: false });
  const table = await readTable(weightsFile);
  if (tokenizer.vocabularySize > table.size) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `The tokenizer of ${spec.id} has ${tokenizer.vocabularySize} tokens, but ${weightsFile} has vectors for ${table.size}. ` +
        `Fetch or distill the model again.`,
    );
  }
  return new StaticEmbedder(spec, tokenizer, table);
}

interface Embedded {
  readonly vector: Float32Array;
  readonly tokens: number;
  readonly truncated: boolean;
}

export class StaticEmbedder implements Embedder {
  readonly model: ModelSpec;
  readonly #tokenizer: TextTokenizer;
  readonly #table: TokenTable;
  #closed = false;

  constructor(model: ModelSpec, tokenizer: TextTokenizer, table: TokenTable) {
    this.model = model;
    this.#tokenizer = tokenizer;
    this.#table = table;
  }

  async embed(texts: readonly string[], { signal }: EmbedOptions = {}): Promise<Embeddings> {
    const byText = new Map<string, Embedded>();
    let sliceTokens = 0;
    for (const text of texts) {
      this.#assertOpen();
      signal?.throwIfAborted();
      if (byText.has(text)) continue;
      const embedded = this.#embedOne(text);
      byText.set(text, embedded);
      sliceTokens += embedded.tokens;
      if (sliceTokens < TOKENS_PER_SLICE) continue;
      sliceTokens = 0;
      await yieldToEventLoop();
    }
    const each = texts.flatMap((text) => byText.get(text) ?? []);
    return {
      vectors: each.map(({ vector }) => vector),
      tokens: each.map(({ tokens }) => tokens),
      truncated: each.map(({ truncated }) => truncated),
    };
  }

  countTokens(text: string): number {
    return this.#tokenizer.count(text);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #embedOne(text: string): Embedded {
    const { ids, truncated } = this.#tokenizer.encode(text, this.model.maxTokens);
    const { unknownId } = this.#tokenizer;
    const vector = new Float32Array(this.model.dimensions);
    this.#table.pool(unknownId === null ? ids : ids.filter((id) => id !== unknownId), vector);
    assertUsable(vector, this.model);
    return { vector, tokens: ids.length, truncated };
  }

  #assertOpen(): void {
    if (this.#closed) throw new EmbedlineError('CLOSED', 'The embedder was closed.');
  }
}

async function readTable(weightsFile: string): Promise<TokenTable> {
  try {
    return await readTokenTable(weightsFile);
  } catch (cause) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `${weightsFile} cannot be read as a static model: ${messageOf(cause)}. Fetch or distill the model again.`,
      { cause },
    );
  }
}

/** @throws EmbedlineError EMBEDDING_INVALID for a text of which no token has a vector, or one that is not finite */
function assertUsable(vector: Float32Array, model: ModelSpec): void {
  if (vector.every((value) => value === 0)) {
    throw new EmbedlineError(
      'EMBEDDING_INVALID',
      `Model ${model.id} has a vector for none of the text's tokens. Take a model that knows its language and script.`,
    );
  }
  if (vector.every((value) => Number.isFinite(value))) return;
  throw new EmbedlineError(
    'EMBEDDING_INVALID',
    `Model ${model.id} gave a vector that is not finite: its files are bad. Fetch or distill the model again.`,
  );
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import type { TokenCounter } from './embedder.ts';
import { WordTokens } from './word-tokens.ts';

const typed = z.looseObject({ type: z.string() }).nullish();
const definitionSchema = z.looseObject({
  normalizer: typed,
  pre_tokenizer: typed,
  added_tokens: z
    .array(z.looseObject({ content: z.string(), normalized: z.boolean().optional() }))
    .default([]),
  model: z.looseObject({ unk_token: z.string().nullish() }),
});

/** Longer tokens than this, on average, do not occur: text beyond it is cut before tokenising, which is linear in it. */
const MAX_CHARACTERS_PER_TOKEN = 16;

/** Tokenises as the model was trained, and cuts where the model ends. */
export interface TextTokenizer extends TokenCounter {
  /** Token ids with the special tokens, at most `maxTokens`; what does not fit is cut off the end of the text. */
  encode(text: string, maxTokens: number): { readonly ids: readonly number[]; readonly truncated: boolean };
  /** Id of the token that stands for what is not in the vocabulary; null when there is none. */
  readonly unknownId: number | null;
  /** One more than the largest id. */
  readonly vocabularySize: number;
  /** True for a token that stands for no text: [CLS], [PAD] and the like. */
  isSpecial(id: number): boolean;
  tokenOf(id: number): string | undefined;
  /** The token ids of a text that is this token alone, with the special tokens around it. */
  alone(id: number): readonly number[];
}

export interface TokenizerOptions {
  /** Put the special tokens around texts that the model was trained with. Defaults to true. */
  readonly specialTokens?: boolean;
}

/**
 * Reads a model's tokenizer.json. Truncation and padding that the file asks for are ignored: both are ours.
 * @throws EmbedlineError MODEL_INVALID
 */
export async function loadTokenizer(
  directory: string,
  { specialTokens = true }: TokenizerOptions = {},
): Promise<TextTokenizer> {
  const { tokenizer, splitsWords, byWord, special, unknownToken } = await readTokenizer(directory);
  const addedTokens = tokenizer.get_added_tokens_decoder();
  const whole = (text: string, withSpecialTokens: boolean) =>
    tokenizer.encode(text, { add_special_tokens: withSpecialTokens }).ids;
  const empty = whole('', specialTokens);
  const closing = commonSuffixLength(empty, whole('a', specialTokens));
  const [before, after] = [empty.slice(0, empty.length - closing), empty.slice(empty.length - closing)];
  const words = new WordTokens((text) => whole(text, false), special);
  const encode = (text: string) =>
    byWord ? [...before, ...words.encode(text), ...after] : whole(text, specialTokens);
  return {
    unknownId: unknownToken === null ? null : (tokenizer.token_to_id(unknownToken) ?? null),
    vocabularySize: [...tokenizer.get_vocab().values()].reduce((size, id) => Math.max(size, id + 1), 0),
    isSpecial: (id) => addedTokens.get(id)?.special === true,
    tokenOf: (id) => tokenizer.id_to_token(id),
    alone: (id) => empty.toSpliced(empty.length - closing, 0, id),
    specialTokens: empty.length,
    additive: splitsWords,
    count: (text) => (byWord ? words.count(text) : text === '' ? 0 : whole(text, false).length),
    encode: (text, maxTokens) => {
      const longest = maxTokens * MAX_CHARACTERS_PER_TOKEN;
      const ids = encode(text.length > longest ? text.slice(0, longest).toWellFormed() : text);
      const truncated = ids.length > maxTokens || text.length > longest;
      if (ids.length <= maxTokens) return { ids, truncated };
      return { ids: [...ids.slice(0, maxTokens - closing), ...ids.slice(ids.length - closing)], truncated };
    },
  };
}

interface ReadTokenizer {
  readonly tokenizer: Tokenizer;
  /** A word's tokens do not depend on its neighbours. */
  readonly splitsWords: boolean;
  /** Nor does anything else in it look beyond white space. */
  readonly byWord: boolean;
  /** Contents of the special tokens. */
  readonly special: readonly string[];
  readonly unknownToken: string | null;
}

async function readTokenizer(directory: string): Promise<ReadTokenizer> {
  const read = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(join(directory, name), 'utf8'));
  try {
    const definition = definitionSchema.parse(await read('tokenizer.json'));
    // Model2Vec writes none.
    const config = await read('tokenizer_config.json').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return {};
      throw error;
    });
    const splitsWords = definition.pre_tokenizer?.type === 'BertPreTokenizer';
    const { normalizer, added_tokens } = definition;
    return {
      tokenizer: new Tokenizer(
        { ...definition, truncation: null, padding: null },
        z.looseObject({}).parse(config),
      ),
      splitsWords,
      special: added_tokens.map(({ content }) => content),
      byWord:
        splitsWords &&
        normalizer?.type === 'BertNormalizer' &&
        added_tokens.every(({ content, normalized }) => normalized === false && !/\s/.test(content)),
      unknownToken: definition.model.unk_token ?? null,
    };
  } catch (cause) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `${directory} has no readable tokenizer.json and tokenizer_config.json. Fetch the model again.`,
      { cause },
    );
  }
}

function commonSuffixLength(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a.at(-1 - length) === b.at(-1 - length)) length += 1;
  return length;
}

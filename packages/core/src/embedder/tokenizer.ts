import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import type { TokenCounter } from './embedder.ts';
import { guardPatterns, TOKENIZER_LIMIT_MS } from './tokenizer-patterns.ts';
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
  /** What one text may take, where the model brings patterns of its own. Defaults to {@link TOKENIZER_LIMIT_MS}. */
  readonly limitMs?: number;
}

/**
 * Reads a model's tokenizer.json. Truncation and padding that the file asks for are ignored: both are ours.
 * @throws EmbedlineError MODEL_INVALID
 */
export async function loadTokenizer(
  directory: string,
  { specialTokens = true, limitMs = TOKENIZER_LIMIT_MS }: TokenizerOptions = {},
): Promise<TextTokenizer> {
  const { tokenizer, definition, splitsWords, byWord, special, unknownToken } =
    await readTokenizer(directory);
  const addedTokens = tokenizer.get_added_tokens_decoder();
  const whole = guardPatterns(
    definition,
    (text, withSpecialTokens) => tokenizer.encode(text, { add_special_tokens: withSpecialTokens }).ids,
    { directory, limitMs },
  );
  const empty = whole('', specialTokens);
  const closing = commonSuffixLength(empty, whole('a', specialTokens));
  const [before, after] = [empty.slice(0, empty.length - closing), empty.slice(empty.length - closing)];
  const words = new WordTokens((text) => whole(text, false), special);
  // One more than fits says that the text was cut; what is behind it need not be tokenized.
  const encode = (text: string, most: number) =>
    byWord
      ? [...before, ...words.encode(text, most + 1).slice(0, most + 1), ...after]
      : whole(text, specialTokens);
  const unknownId = unknownToken === null ? null : (tokenizer.token_to_id(unknownToken) ?? null);
  const measure = measureWith(unknownId, (id) => tokenizer.id_to_token(id));
  return {
    unknownId,
    vocabularySize: [...tokenizer.get_vocab().values()].reduce((size, id) => Math.max(size, id + 1), 0),
    isSpecial: (id) => addedTokens.get(id)?.special === true,
    tokenOf: (id) => tokenizer.id_to_token(id),
    alone: (id) => [...before, id, ...after],
    specialTokens: empty.length,
    additive: splitsWords,
    count: (text) => (byWord ? words.count(text) : text === '' ? 0 : whole(text, false).length),
    measure: (text) => {
      const sum = { tokens: 0, unknown: 0, unknownCharacters: 0 };
      const add = (ids: readonly number[], word: string) => {
        sum.tokens += ids.length;
        if (unknownId === null || !ids.includes(unknownId)) return true;
        const { unknown, unknownCharacters } = measure(ids, word);
        sum.unknown += unknown;
        sum.unknownCharacters += unknownCharacters;
        return true;
      };
      if (byWord) words.each(text, add);
      else if (text !== '') add(whole(text, false), text);
      return sum;
    },
    encode: (text, maxTokens) => {
      const ids = encode(text, maxTokens);
      if (ids.length <= maxTokens) return { ids, truncated: false };
      return {
        ids: [...ids.slice(0, maxTokens - closing), ...ids.slice(ids.length - closing)],
        truncated: true,
      };
    },
  };
}

/** Marks of tokens that are no characters of a text: of WordPiece, SentencePiece and byte-level BPE. */
const TOKEN_MARKS = /^##|[\u2581\u0120\u010a]/g;

/** How much of some text its unknown tokens stand for: what the other tokens leave. */
function measureWith(unknownId: number | null, tokenOf: (id: number) => string | undefined) {
  return (ids: readonly number[], text: string) => {
    let [unknown, known] = [0, 0];
    for (const id of ids) {
      if (id === unknownId) unknown += 1;
      else known += (tokenOf(id) ?? '').replace(TOKEN_MARKS, '').length;
    }
    const characters = text.replace(/\s+/g, '').length;
    return { unknown, unknownCharacters: Math.max(unknown, characters - known) };
  };
}

interface ReadTokenizer {
  readonly tokenizer: Tokenizer;
  readonly definition: unknown;
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
      definition,
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

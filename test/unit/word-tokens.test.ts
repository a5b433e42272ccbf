import { fileURLToPath } from 'node:url';
import { Tokenizer } from '@huggingface/tokenizers';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadTokenizer } from '../../packages/core/src/embedder/tokenizer.ts';
import { WordTokens } from '../../packages/core/src/embedder/word-tokens.ts';

const directory = fileURLToPath(
  new URL('../../models/sentence-transformers/all-MiniLM-L6-v2', import.meta.url),
);
const read = async (name: string) => JSON.parse(await readFile(`${directory}/${name}`, 'utf8')) as object;
const plain = new Tokenizer(
  { ...(await read('tokenizer.json')), truncation: null, padding: null },
  await read('tokenizer_config.json'),
);
const tokenizer = await loadTokenizer(directory);

/** Whatever might make a tokenizer look beyond white space: marks that join, letters that change at the end of words. */
const piece = fc.oneof(
  fc.constantFrom(' ', '\n', '\t', '\r', '\v', '\f', '\u00a0', '\u2028', '\u200b', '\u0085', '\0', '\ufffd'),
  fc.constantFrom(
    '[SEP]',
    '[CLS',
    ']',
    'ΟΔΟΣ',
    'Σ',
    '\u0301',
    'e\u0301',
    '漢字',
    '한국',
    '😀',
    "'",
    '##ing',
    'İ',
  ),
  fc.constantFrom('the', 'Banks.', 'unbelievably,', '1,234.5', 'x'.repeat(120)),
  fc.string({ unit: 'binary', maxLength: 6 }),
);

test('tokens put together from words are those of the whole text', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (parts) => {
      const text = parts.join('');
      const expected = plain.encode(text, { add_special_tokens: true }).ids;
      expect(tokenizer.count(text)).toBe(expected.length - 2);
      expect(tokenizer.encode(text, 100_000).ids).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});

test('words are tokenised once, and forgotten in the order of their last use', () => {
  const asked: string[] = [];
  const words = new WordTokens((word) => {
    asked.push(word);
    return [word.length];
  }, []);
  expect(words.encode('to be or\nnot  to\tbe ')).toEqual([2, 2, 2, 3, 2, 2]);
  expect(asked).toEqual(['to', 'be', 'or', 'not']);
  for (let index = 0; index < 100_000; index += 1) {
    words.count(`w${index}`);
    if (index % 10_000 === 0) words.count('to');
  }
  asked.length = 0;
  words.count('to be w0 w99999');
  expect(asked).toEqual(['be', 'w0']);
});

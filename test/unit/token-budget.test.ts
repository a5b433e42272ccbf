import fc from 'fast-check';
import { createChunker, type Chunk, type ChunkingOptions } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../packages/core/src/embedder/tokenizer.ts';
import { embeddedText } from '../../packages/core/src/chunking/embedded-text.ts';
import { SHIPPED } from '../support/model-folder.ts';

const tokenizer = await loadTokenizer(SHIPPED);
/** As of a model whose tokenizer looks beyond words: nothing may be added up. */
const joined = { ...tokenizer, additive: false };

function cut(text: string, options: Partial<ChunkingOptions> = {}, counter = tokenizer): Chunk[] {
  return createChunker(
    { maxTokens: 256, overlapTokens: 0, ...options },
    counter,
  )({ text, title: 'A title', format: 'plain' });
}

/** What the model gets for a chunk, cut at its longest input. */
function encode(
  chunk: Chunk,
  { maxTokens = 256, passagePrefix = '', embedTitle = false }: Partial<ChunkingOptions> = {},
) {
  return tokenizer.encode(passagePrefix + embeddedText(chunk, embedTitle), maxTokens);
}

function expectWholly(chunks: readonly Chunk[], options: Partial<ChunkingOptions> = {}): void {
  for (const chunk of chunks) {
    const { ids, truncated } = encode(chunk, options);
    expect(truncated).toBe(false);
    expect(ids.length).toBe(chunk.tokens);
    expect(chunk.tokens).toBeLessThanOrEqual(options.maxTokens ?? 256);
  }
}

const nonBlank = (text: string) => text.replace(/\s+/g, '');

describe('what is embedded is what is stored (issue 13, B3)', () => {
  const padded = (cells: readonly string[]) => `| ${cells.map((cell) => cell.padEnd(120)).join(' | ')} |\n`;
  test.each<[string, string]>([
    ['a word behind 4,100 blanks', `cats${' '.repeat(4100)}hospital billing codes`],
    ['a word behind 4 MB of blanks', `cats${' '.repeat(4_000_000)}hospital billing codes`],
    ['words behind tabs', `cats${'\t'.repeat(5000)}hospital ${'\t'.repeat(5000)} codes`],
    [
      'a padded table',
      Array.from({ length: 60 }, (_, row) => padded([`name ${row}`, `value ${row}`, 'kind'])).join(''),
    ],
    [
      'lines of 256 columns',
      Array.from({ length: 80 }, (_, row) => `line ${row} of a form`.padEnd(256)).join('\n'),
    ],
    ['zero-width characters between words', `cats${'\u200b'.repeat(6000)} hospital billing codes`],
    ['decomposed accents', 'e\u0301te\u0301 de\u0301ja\u0300 '.repeat(900)],
    ['a very long word', `a ${'pneumonoultramicroscopic'.repeat(400)} b`],
    [
      'base64',
      Buffer.from(Array.from({ length: 9000 }, (_, index) => (index * 7919) % 251)).toString('base64'),
    ],
    ['a rule', `before ${'='.repeat(9000)} after`],
    ['vertical tabs and byte order marks', 'unbelievable\vfeat\ufeffures\f'.repeat(400)],
  ])('%s', (_, text) => {
    for (const counter of [tokenizer, joined]) {
      const chunks = cut(text, {}, counter);
      expectWholly(chunks);
      expect(nonBlank(chunks.map((chunk) => chunk.text).join(''))).toBe(nonBlank(text));
    }
  });

  test('a tail far behind gives other tokens, and more than fit is said to be cut', () => {
    const { ids } = tokenizer.encode(`cats${' '.repeat(4100)}hospital billing codes`, 256);
    expect(ids).toEqual(tokenizer.encode('cats hospital billing codes', 256).ids);
    expect(tokenizer.encode('word '.repeat(254), 256)).toMatchObject({ truncated: false });
    expect(tokenizer.encode('word '.repeat(255), 256)).toMatchObject({ truncated: true });
    expect(tokenizer.encode('word '.repeat(255), 256).ids).toHaveLength(256);
  });

  test('a chunk has no more than 64 characters a token, however many blanks there are', () => {
    const chunks = cut(Array.from({ length: 50 }, (_, word) => `word${word}`).join(' '.repeat(9000)));
    expect(chunks.length).toBeGreaterThan(10);
    expect(Math.max(...chunks.map(({ text }) => text.length))).toBeLessThanOrEqual(254 * 64);
  });

  test('a text of 3.9 MB without white space is cut (issue 14.2)', () => {
    const text = 'x'.repeat(3_900_000);
    const chunks = cut(text);
    expect(chunks.reduce((sum, chunk) => sum + chunk.text.length, 0)).toBe(text.length);
  });
});

describe('all that is embedded with a text counts (issue 13, B4)', () => {
  const words = fc.constantFrom(
    'unbelievably',
    'naïve',
    'x'.repeat(90),
    '漢字',
    '😀',
    'e\u0301',
    '\ufeff',
    '\u200b',
    '1,234.5',
    '---',
    '#',
    '\n\n',
    '. ',
    'Σ',
    'ภาษาไทย',
  );
  const text = fc
    .array(fc.tuple(words, fc.constantFrom('', ' ')), { maxLength: 90 })
    .map((parts) => parts.flat().join(''));
  const prefix = fc.constantFrom('', 'passage: ', 'Represent this', 'search_document:', '. ');

  test('special tokens, the model’s prefix and an embedded title, for chunks of 16 tokens and more', () => {
    fc.assert(
      fc.property(
        text,
        prefix,
        fc.boolean(),
        fc.integer({ min: 16, max: 64 }),
        (input, passagePrefix, embedTitle, maxTokens) => {
          const options = { maxTokens, passagePrefix, embedTitle };
          for (const counter of [tokenizer, joined]) {
            const chunks = cut(input, options, counter);
            expectWholly(chunks, options);
            expect(chunks.map(({ index }) => index)).toEqual(chunks.map((_, index) => index));
          }
        },
      ),
      { numRuns: 120 },
    );
  });

  test('a chunk of 16 tokens has 16 at most (issue 13, C15)', () => {
    const torn = 'antidisestablishmentarianism'.repeat(60);
    for (const maxTokens of [16, 17, 18]) expectWholly(cut(torn, { maxTokens }), { maxTokens });
  });

  test('the last words of a full chunk are embedded with a prefix', () => {
    const passagePrefix = 'Represent this passage for searching: ';
    const chunks = cut('word '.repeat(1000), { passagePrefix });
    const last = encode(chunks[0] as Chunk, { passagePrefix }).ids.at(-2);
    expect(last).toBe(tokenizer.encode('word', 8).ids[1]);
    expect(chunks[0]?.tokens).toBeLessThanOrEqual(256);
  });

  test('a title that would leave no room is shortened in what is stored as well', () => {
    const title = 'A very long title that goes on and on '.repeat(7).trim();
    const options = { maxTokens: 64, overlapTokens: 0, embedTitle: true };
    const chunks = createChunker(options, tokenizer)({ text: 'word '.repeat(300), title });
    expect(chunks[0]?.title).toMatch(/^A very long title .*…$/);
    expectWholly(chunks, options);
    expect(createChunker({ ...options, embedTitle: false }, tokenizer)({ text: 'a', title })[0]?.title).toBe(
      title,
    );
  });

  test('options that leave no room for text are refused', () => {
    const passagePrefix = 'a prompt of more words than a chunk of sixteen tokens has room for';
    expect(() => createChunker({ maxTokens: 16, overlapTokens: 0, passagePrefix }, tokenizer)).toThrow(
      /16 tokens leaves no room for text: 2 are special tokens, 15 the model's prompt/,
    );
  });
});

describe('text that the model has no tokens for (issue 13, B5 and B6)', () => {
  test.each([
    ['zero-width characters', '\u200b\u200c\u200d\ufeff'.repeat(50)],
    ['control characters', '\u0000\u0001\u0007'.repeat(20)],
    ['soft hyphens and joiners', '\u00ad\u2060'.repeat(9)],
  ])('%s alone are no chunk', (_, text) => {
    expect(cut(text)).toEqual([]);
    expect(cut(text, {}, joined)).toEqual([]);
  });

  test('thousands of them within a document are no chunk of their own', () => {
    const chunks = cut(`Opening hours.\n\n${'\u200b'.repeat(100_000)}\n\nParking is behind the house.`);
    for (const { text } of chunks) expect(tokenizer.count(text)).toBeGreaterThan(0);
    expect(chunks.map(({ text }) => text).join()).toMatch(/Opening hours\.[^]*Parking is behind the house\./);
  });

  test.each([
    ['Thai', 'ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน'],
    ['Khmer', 'ភាសាខ្មែរគឺជាភាសាផ្លូវការរបស់ប្រទេសកម្ពុជា'],
    ['Thai with Latin and digits', 'ไทยabc123ภาษา'],
  ])('a run of %s is cut by its length, and its unknown tokens are counted', (_, unit) => {
    const chunks = cut(unit.repeat(300));
    expect(Math.max(...chunks.map(({ text }) => text.length))).toBeLessThanOrEqual(254 * 8);
    expect(chunks.length).toBeGreaterThan(3);
    for (const { unknownTokens } of chunks) expect(unknownTokens).toBeGreaterThan(0);
    expectWholly(chunks);
  });

  test('known text has no unknown tokens', () => {
    expect(cut('The quick brown fox, naïve and 東京.').map(({ unknownTokens }) => unknownTokens)).toEqual([
      0,
    ]);
    expect(tokenizer.measure('good ภาษา [UNK]')).toMatchObject({ unknown: 2 });
  });
});

test('a long sentence is cut between words, also where few of them fit', () => {
  const words = new Set(['the', 'quick', 'brown', 'fox', 'unbelievably']);
  for (const { text } of cut('the quick brown fox unbelievably '.repeat(60), { maxTokens: 16 }))
    expect(text.split(' ').filter((word) => !words.has(word))).toEqual([]);
});

import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createChunker, type Chunk, type TextFormat, type TokenCounter } from '@embedline/core';
import { loadTokenizer } from '../../packages/core/src/embedder/tokenizer.ts';
import { hostileText, seeded } from '../support/hostile.ts';
import { wordCounter } from '../support/word-counter.ts';

const tokenizer = await loadTokenizer(
  fileURLToPath(new URL('../../models/sentence-transformers/all-MiniLM-L6-v2', import.meta.url)),
);

const unit = fc.oneof(
  { weight: 6, arbitrary: hostileText },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      '\n',
      '\r\n',
      '\r',
      '\n\n',
      '# ',
      '## ',
      `### ${'😀'.repeat(150)}\n`,
      `a${'😀'.repeat(150)}\n===\n`,
      '```\n',
      '~~~~\n',
      '- item\n',
      '| a | b |\n',
      '===\n',
      '---\n',
      '. ',
      '。',
    ),
  },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 3000 }).map((length) => 'ab😀'.repeat(length / 4)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'e' + '\u0301'.repeat(500),
      '\u200b'.repeat(300),
      ' '.repeat(2000),
      '#'.repeat(900),
    ),
  },
);
/** Readers refuse halves of surrogate pairs; the chunker must not fall over them all the same. */
const half = fc.constantFrom('', '', '', '\ud800', '\udc00', '\udc00\ud800');
const anyText = fc
  .tuple(fc.array(unit, { maxLength: 24 }), half)
  .map(([parts, end]) => `${parts.join('')}${end}`);
const options = fc.tuple(fc.integer({ min: 16, max: 64 }), fc.integer({ min: 0, max: 8 }));
const format = fc.constantFrom<TextFormat>('plain', 'markdown');

/** Everything that is wrong with the chunks of a text. */
function* faults(text: string, chunks: readonly Chunk[], maxTokens: number, counter: TokenCounter) {
  const covered = new Uint8Array(text.length);
  for (const [index, chunk] of chunks.entries()) {
    if (chunk.index !== index) yield `chunk ${index} says that it is ${chunk.index}`;
    if (chunk.text !== text.slice(chunk.start, chunk.end)) yield `chunk ${index} is no slice`;
    if (chunk.text === '' || chunk.text.trim() !== chunk.text)
      yield `chunk ${index} has white space at its ends`;
    if (text.isWellFormed() && !chunk.text.isWellFormed()) yield `chunk ${index} halves a character`;
    if (text.isWellFormed() && chunk.title?.isWellFormed() === false)
      yield `title ${index} halves a character`;
    if ((chunk.title?.length ?? 0) > 300) yield `title ${index} is too long`;
    if (chunk.tokens !== counter.count(chunk.text) + counter.specialTokens)
      yield `chunk ${index} is counted wrongly`;
    if (chunk.tokens > maxTokens) yield `chunk ${index} has ${chunk.tokens} tokens`;
    if (index > 0 && chunk.start <= (chunks[index - 1]?.start ?? 0)) yield `chunk ${index} does not advance`;
    covered.fill(1, chunk.start, chunk.end);
  }
  for (let position = 0; position < text.length; position += 1) {
    // Text without a token (zero-width characters alone) has nothing that could be embedded.
    if (covered[position] === 0 && text[position]?.trim() !== '' && counter.count(text[position] ?? '') > 0)
      yield `position ${position} is in no chunk`;
  }
}

test.each([
  ['words', 1000, wordCounter],
  ['tokens of the model', 150, tokenizer],
] as const)(
  'chunks of any text are slices of it, within the limit, and leave nothing out: %s, %i cases',
  (_, cases, counter) => {
    const property = fc.property(anyText, format, options, (text, as, [maxTokens, overlapTokens]) => {
      const chunk = createChunker({ maxTokens, overlapTokens }, counter);
      const chunks = chunk({ text, title: null, format: as });
      expect([...faults(text, chunks, maxTokens, counter)]).toEqual([]);
      expect(chunks.length > 0).toBe(counter.count(text) > 0);
      expect(chunk({ text, title: null, format: as })).toEqual(chunks);
    });
    fc.assert(property, seeded(cases));
  },
);

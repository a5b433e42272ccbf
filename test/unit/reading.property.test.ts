import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createChunker, type TokenCounter } from '@embedline/core';
import { violationsOf } from '../check-files/check-document.ts';
import { hostileText, seeded } from '../support/hostile.ts';
import { folderWith, readCorpus } from '../support/read-corpus.ts';
import { wordCounter } from '../support/word-counter.ts';

const MAX_TOKENS = 16;
const counters: Readonly<Record<string, TokenCounter>> = {
  additive: { ...wordCounter, additive: true },
  whole: wordCounter,
};

/** What begins or ends something in Markdown, or looks as if it did. */
const markdown = fc.constantFrom(
  '# Heading',
  'Heading\n---',
  '---',
  '***',
  '```js\ncode()\n```',
  '~~~\nnever closed',
  '``` inline ``` code',
  '> quoted\n> - item',
  '1. one\n\n   two',
  '| a | b |\n|---|:-:|\n| 1 | x \\| y |',
  '<!-- comment\n\n-->',
  '<div class="a">\n<b>raw</b>\n</div>',
  '[a]: http://b.example "c"',
  '    indented code',
  '+++',
  '{',
);
const part = fc.oneof(
  { weight: 3, arbitrary: hostileText },
  { weight: 3, arbitrary: fc.lorem({ maxCount: 30 }) },
  { weight: 3, arbitrary: markdown },
);
const lineEnd = fc.constantFrom(' ', '\n', '\r\n', '\n\n', '\r\n\r\n', '\r', '. ');
const body = fc
  .array(fc.tuple(part, lineEnd), { minLength: 1, maxLength: 10 })
  .map((parts) => `x${parts.flat().join('').replaceAll('\0', '')}`);

type Body = string;
interface Written {
  readonly content: string;
  /** Of each document: its whole text and where its body begins. */
  readonly expected: readonly { readonly text: string; readonly bodyStart?: number }[];
}

const fronts = {
  none: '',
  yaml: '---\ntitle: A B\ntags: [x, "y"]\n---\n',
  'yaml of Windows': '---\r\ntitle: >\r\n  folded\r\n  title\r\n...\r\n',
  empty: '---\n---\n',
  toml: '+++\ntitle = "A"\ndate = 2026-01-31\n[params]\n  x = 1\n+++\n',
  json: '{\n  "title": "A",\n  "inner": {\n    "b": [1]\n  }\n}\n',
};
/** They look like front matter, and are text. */
const noFronts = [
  '---\nOpening hours are nine to five.\n---\n',
  '---\n- a\n- list\n---\n',
  '---\ntitle: x\n',
  '+++\nnot toml\n+++\n',
  '{\n  "a": 1,\n}\n',
  ' ---\ntitle: x\n---\n',
  '----\ntitle: x\n----\n',
];

const quoted = (field: string, quote = '"') => quote + field.replaceAll(quote, quote + quote) + quote;
const rows = (texts: readonly Body[], write: (text: string, index: number) => string, header: string) => ({
  content: header + texts.map((text, index) => write(text, index)).join(''),
  expected: texts.map((text) => ({ text })),
});
const whole = (text: Body, bodyStart = 0): Written => ({ content: text, expected: [{ text, bodyStart }] });

/** How each format writes texts, and what is to be read of that. */
const formats: Readonly<Record<string, (texts: readonly Body[]) => Written>> = {
  'text a.txt': ([text = 'x']) => whole(text),
  'Markdown a.md': ([text = 'x']) => whole(text),
  ...Object.fromEntries(
    Object.entries(fronts).map(([name, front]) => [
      `front matter (${name}) a.md`,
      ([text = 'x']: readonly Body[]) => whole(front + text, front.length),
    ]),
  ),
  ...Object.fromEntries(
    noFronts.map((front) => [
      `what is no front matter (${JSON.stringify(front.slice(0, 12))}) a.markdown`,
      ([text = 'x']: readonly Body[]) => whole(front + text.replaceAll(/^[ \t]*(?:-|\+|\.|\}).*$/gm, 'y')),
    ]),
  ),
  'JSON lines a.jsonl': (texts) =>
    rows(texts, (text, index) => `${JSON.stringify({ id: index, text })}\n`, ''),
  'JSON lines of Windows a.ndjson': (texts) =>
    rows(texts, (text, index) => `${JSON.stringify({ text, id: `${index}` })}\r\n\r\n`, ''),
  'CSV a.csv': (texts) => rows(texts, (text, index) => `${index},${quoted(text)}\r\n`, 'id,text\r\n'),
  'CSV of Excel, with ; and sep= a.csv': (texts) =>
    rows(texts, (text, index) => `${quoted(text)};${index};\r\n`, 'sep=;\r\ntext;id;\r\n'),
  'CSV with | a.csv': (texts) => rows(texts, (text, index) => `${index}|${quoted(text)}\n`, 'id|text\n'),
  'CSV without a last line end a.csv': (texts) => {
    const { content, expected } = rows(texts, (text, index) => `\n"${index}",${quoted(text)}`, '"id","text"');
    return { content, expected };
  },
  'TSV a.tsv': (texts) => {
    const lines = texts.map((text) => text.replaceAll(/[\t\r\n]/g, ' '));
    return rows(lines, (text, index) => `${index}\t${text}\n`, 'id\ttext\n');
  },
};

const encodings = {
  'utf-8': (content: string) => Buffer.from(content),
  'utf-8 with a mark': (content: string) => Buffer.from(`\uFEFF${content}`),
  'utf-16le': (content: string) => Buffer.from(`\uFEFF${content}`, 'utf16le'),
  'utf-16be': (content: string) => Buffer.from(`\uFEFF${content}`, 'utf16le').swap16(),
};

const howItIsKept = fc.record({
  encoding: fc.constantFrom(...Object.keys(encodings)) as fc.Arbitrary<keyof typeof encodings>,
  gzip: fc.boolean(),
  counter: fc.constantFrom(...Object.keys(counters)),
  overlapTokens: fc.constantFrom(0, 4),
});

test.each(Object.entries(formats))(
  '13 each character of %s that is not blank is in a chunk, and offsets cut its text out of the source as decoded',
  async (format, write) => {
    const property = fc.asyncProperty(
      fc.array(body, { minLength: 1, maxLength: 3 }),
      howItIsKept,
      async (texts, { encoding, gzip, counter: name, overlapTokens }) => {
        const { content, expected } = write(texts);
        const bytes = encodings[encoding](content);
        const file = `${format.slice(format.lastIndexOf(' ') + 1)}${gzip ? '.gz' : ''}`;
        const cwd = await folderWith({ [file]: gzip ? gzipSync(bytes) : bytes });
        const { documents, reasons } = await readCorpus(cwd);
        expect(reasons).toEqual([]);
        expect(documents.map(({ text, bodyStart = 0 }) => ({ text, bodyStart }))).toEqual(
          expected.map(({ text, bodyStart = 0 }) => ({ text, bodyStart })),
        );
        const counter = counters[name] ?? wordCounter;
        const chunk = createChunker({ maxTokens: MAX_TOKENS, overlapTokens }, counter);
        for (const { text, title, bodyStart = 0 } of documents) {
          const isMarkdown = /\.(md|markdown)/.test(file);
          const cut = { text, title, bodyStart, format: isMarkdown ? 'markdown' : 'plain' } as const;
          expect(violationsOf(cut, chunk(cut), { counter, maxTokens: MAX_TOKENS })).toEqual([]);
        }
      },
    );
    await fc.assert(property, seeded(30));
  },
);

test('13 the checks find what is lost, moved, torn, too long or out of order', () => {
  const document = { title: null, text: '---\na: b\n---\nOne two three. Four five six 😀.', bodyStart: 13 };
  const chunk = createChunker({ maxTokens: 16, overlapTokens: 0 }, wordCounter);
  const limits = { counter: wordCounter, maxTokens: 16 };
  const [right] = chunk(document);
  expect(right === undefined ? null : violationsOf(document, [right], limits)).toEqual([]);
  if (right === undefined) return;
  const { start, end, text } = right;
  const wrong = {
    'are in no chunk': { ...right, end: end - 4, text: text.slice(0, -4), textTokens: 7 },
    'stores another text': { ...right, text: text.replace('One', 'one') },
    'in the front matter': { ...right, start: start - 9, text: document.text.slice(start - 9) },
    'within a character': { ...right, end: end - 2, text: text.slice(0, -2) },
    'has 17 tokens of 16': { ...right, tokens: 17 },
    'has the index 1': { ...right, index: 1 },
  };
  for (const [what, broken] of Object.entries(wrong))
    expect(violationsOf(document, [broken], limits).join('\n')).toContain(what);
  expect(violationsOf(document, [], limits).join('\n')).toContain('characters 13 to 45 are in no chunk');
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createChunker, embeddedText, textHash, type Chunk } from '@embedline/core';
import { wordCounter } from '../support/word-counter.ts';

/** Chunks of at most so many words. */
function chunksOf(text: string, maxTokens = 16, title: string | null = null): Chunk[] {
  const chunk = createChunker({ maxTokens, overlapTokens: 0 }, wordCounter);
  return chunk({ text, title, format: 'markdown' });
}

const filler = (word: string) => Array.from({ length: 12 }, (_, index) => `${word}${index}`).join(' ');
/** The section that the chunk with this word says it is in. */
const sectionOf = (text: string, word: string) =>
  chunksOf(text).find((chunk) => chunk.text.includes(word))?.title;

describe('sections are those of CommonMark', () => {
  test.each<[string, string]>([
    ['a line that begins with code in backticks', '``` npm i ``` installs it.'],
    ['a fence inside a list item', '- step\n\n  ```sh\n  # not a heading\n  ```\n- next'],
    ['a fence that is longer than what it holds', '````md\n```\n# not a heading\n```\n````'],
    ['a fence of tildes around backticks', '~~~\n```\n# not a heading\n~~~'],
    ['a comment', '<!--\n\n# not a heading\n\n-->'],
    ['a raw block', '<script>\n\n# not a heading\n\n</script>'],
    ['preformatted HTML', '<pre>\n# not a heading\n</pre>'],
    ['an indented block', '    # not a heading\n    more'],
    ['a heading of a quotation', '> # not a section\n> text'],
    ['a heading in a list', '- # not a section\n  text'],
    ['a list before a rule', '- item\n---\ntext'],
    ['a quotation before a rule', '> quoted\n---\ntext'],
    ['a number sign without a blank', '#hashtag is not a heading'],
  ])('%s changes no section', (_, block) => {
    const text = `# Top\n\n${block}\n\n${filler('after')}\n\n## Below\n\n${filler('last')}\n`;
    expect(sectionOf(text, 'after3')).toBe('Top');
    expect(sectionOf(text, 'last3')).toBe('Top > Below');
  });

  test.each<[string, string, string]>([
    ['closing number signs', '# Title ##', 'Title'],
    ['a setext heading of two lines', 'Long\ntitle\n===', 'Long title'],
    ['a setext heading of the second level', 'Title\n---', 'Title'],
    ['up to three blanks before it', '   # Title', 'Title'],
    ['Windows line ends', '# Title\r', 'Title'],
    ['an unclosed fence behind it', '# Title', 'Title'],
  ])('%s', (_, heading, title) => {
    expect(sectionOf(`${heading}\n\n${filler('word')}\n\n\`\`\`\n# code`, 'word3')).toBe(title);
  });

  test('a line end of old Macs ends a heading', () => {
    expect(sectionOf(`# Title\r\r${filler('word')}\r`, 'word3')).toBe('Title');
  });
});

describe('titles', () => {
  test('the title of the document stands before its headings, once', () => {
    const text = `# Guide\n\n${filler('a')}\n\n## Install\n\n${filler('b')}`;
    const titles = (title: string) => chunksOf(text, 18, title).map((chunk) => chunk.title);
    expect(titles('Manual')).toEqual(['Manual > Guide', 'Manual > Guide > Install']);
    expect(titles('Guide')).toEqual(['Guide', 'Guide > Install']);
  });

  test('a chunk that spans sections names them all', () => {
    const text = '# Guide\n\n## Install\n\nOne.\n\n## Use\n\nTwo.\n\n### Search\n\nThree.\n';
    expect(chunksOf(text, 64).map(({ title }) => title)).toEqual(['Guide > Install; Use; Use > Search']);
  });

  test('what stands above all headings has the first of them', () => {
    const text = `${filler('badge')}\n\n# Project\n\n${filler('text')}`;
    expect(chunksOf(text).map(({ title }) => title)).toEqual(['Project', 'Project']);
  });

  test('one that is too long ends with a mark of that, on a whole character', () => {
    const text = `${Array.from({ length: 6 }, (_, level) => `${'#'.repeat(level + 1)} ${'😀'.repeat(45)}`).join('\n\n')}\n\ntext`;
    const title = chunksOf(text, 64).at(-1)?.title ?? '';
    expect(title.length).toBeLessThanOrEqual(300);
    expect(title.endsWith('…')).toBe(true);
    expect(title.isWellFormed()).toBe(true);
  });
});

describe('tables', () => {
  const row = (index: number) => `| row ${index} | value ${index} |`;
  const table = [
    '| name | value |',
    '| --- | --- |',
    ...Array.from({ length: 20 }, (_, index) => row(index)),
  ];

  test('rows that fit are not cut, and the header stays with the first', () => {
    const chunks = chunksOf(`${filler('before')}\n\n${table.join('\n')}\n`, 32);
    expect(chunks.length).toBeGreaterThan(3);
    for (const { text } of chunks)
      for (const line of text.split('\n'))
        expect(line.startsWith('before') || table.includes(line)).toBe(true);
    expect(chunks.find(({ text }) => text.includes('| name |'))?.text).toContain(row(0));
  });

  test('a row that does not fit is cut', () => {
    const long = `| a | ${filler('x')} ${filler('y')} |`;
    const chunks = chunksOf(`| h | i |\n|---|---|\n${long}\n| b | c |`);
    expect(chunks.map(({ text }) => text).join(' ')).toContain('y11');
    expect(Math.max(...chunks.map(({ tokens }) => tokens))).toBeLessThanOrEqual(16);
  });
});

test('documents nested deeper than any that a person writes are cut as plain text', () => {
  for (const text of ['> '.repeat(60_000), '1. '.repeat(60_000), '- '.repeat(60_000)]) {
    const chunks = chunksOf(`# A\n\n${text}x\n`, 64);
    expect(chunks.at(-1)?.text.endsWith('x')).toBe(true);
    expect(chunks[0]?.title).toBeNull();
  }
});

test('whatever is written, no character that is not blank is lost', () => {
  const line = fc.constantFrom(
    '# h',
    'text one.',
    '> q',
    '>',
    '- a',
    '  - b',
    '1. c',
    '```',
    '~~~',
    '    code',
    '',
    '',
    '---',
    '===',
    '| a | b |',
    '|---|---|',
    '<div>',
    '</div>',
    '<!-- c',
    '-->',
    '[a]: http://x',
    '\ttab',
    '* * *',
    '+++',
  );
  const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
  fc.assert(
    fc.property(fc.array(line, { maxLength: 25 }), lineEnd, (lines, end) => {
      const text = lines.join(end);
      const covered = new Uint8Array(text.length);
      for (const { start, end: to, text: own } of chunksOf(text)) {
        expect(own).toBe(text.slice(start, to));
        covered.fill(1, start, to);
      }
      for (let at = 0; at < text.length; at += 1) if (covered[at] === 0) expect(text[at]?.trim()).toBe('');
    }),
    { numRuns: 2000 },
  );
});

describe('line ends', () => {
  const text = `---\ntitle: x\n---\n# Guide\n\n${filler('a')}\n\n- one\n- two\n\n| h | i |\n|---|---|\n| b | c |\n\n${filler('z')}\n`;
  const chunk = createChunker({ maxTokens: 20, overlapTokens: 0 }, wordCounter);
  const cut = (lineEnd: string, format: 'plain' | 'markdown') => {
    const written = text.replaceAll('\n', lineEnd);
    const bodyStart = written.indexOf('# Guide');
    const chunks = chunk({ text: written, title: null, format, bodyStart });
    for (const { start, end, text: own } of chunks) expect(own).toBe(written.slice(start, end));
    expect(chunks[0]?.start).toBe(bodyStart);
    return chunks;
  };

  test.each(['plain', 'markdown'] as const)('another kind cuts a %s text at the same places', (format) => {
    const hashes = (lineEnd: string) => cut(lineEnd, format).map((one) => textHash('', one.text));
    expect(hashes('\n').length).toBeGreaterThan(2);
    for (const lineEnd of ['\r\n', '\r']) expect(hashes(lineEnd)).toEqual(hashes('\n'));
    expect(cut('\r\n', format).some((one) => one.text.includes('\r\n'))).toBe(true);
  });

  test('what is embedded has plain ones', () => {
    expect(embeddedText({ title: 't', text: 'a\r\nb\rc' }, false)).toBe('a\nb\nc');
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chunkRecordsOf,
  createChunker,
  decodeJob,
  embeddedText,
  encodeJob,
  jobBytes,
  parseChunkingOptions,
  payloadHash,
  pipelineFingerprint,
  textHash,
  type Chunk,
} from '@embedline/core';
import { inlineEdits } from '../../packages/core/src/chunking/markup/inline-edits.ts';
import { chunkOf } from '../support/points.ts';
import { wordCounter } from '../support/word-counter.ts';

function chunksOf(text: string, maxTokens = 200, options = {}): Chunk[] {
  const chunk = createChunker({ maxTokens, overlapTokens: 0, ...options }, wordCounter);
  return chunk({ text, title: null, format: 'markdown' });
}

/** What is embedded of a text that makes one chunk. */
function embeddedOf(text: string): string {
  const chunks = chunksOf(text);
  expect(chunks).toHaveLength(1);
  const [chunk] = chunks;
  if (chunk === undefined) throw new Error('no chunk');
  expect(chunk.text).toBe(text.slice(chunk.start, chunk.end));
  expect(chunk.embeddedText).not.toBe(chunk.text);
  return embeddedText(chunk, false);
}

const PAYLOAD = 'iVBORw0KGgo'.repeat(2_000);

describe('tags of HTML within Markdown are not embedded, alt texts are (issue 13, E20)', () => {
  test.each<[string, string, string]>([
    ['tags within a word', 'The <b>bold</b>ness of H<sub>2</sub>O.', 'The boldness of H2O.'],
    ['tags that part words', 'one<br>two<br/>three', 'one two three'],
    ['an image of HTML', 'See <img src="a.png" alt="Sales by year"> here.', 'See Sales by year here.'],
    ['an alt text without quotation marks', 'A <img alt=logo src=x>.', 'A logo .'],
    ['character references of an alt text', '<img alt="R&amp;D &lt;1&gt;">', 'R&D <1>'],
    [
      'a block of HTML',
      '<p align="center">\n  <img src="x" alt="Logo">\n  <a href="y">Docs</a>\n</p>\n\nText.',
      'Logo\n  Docs\n\nText.',
    ],
    ['a table of HTML', '<table><tr><td>one</td><td>two</td></tr></table>', 'one two'],
    ['a tag of several lines', 'Before <a\n  href="x"\n  title="y">link</a> after.', 'Before link after.'],
    ['details', '<details>\n<summary>More</summary>\n\nText\n\n</details>', 'More\n\nText'],
    ['scripts and styles', '<style>p { x: y }</style>\n\n<script>\nf();\n</script>\n\ntext', 'text'],
    ['comments', 'before <!-- a\nb --> after\n\n<!-- c -->\n\nend', 'before after\n\nend'],
    ['processing instructions', '<?xml version="1.0"?>\n\ntext', 'text'],
    ['a heading', '# <img src="x" alt="Logo"> My <em>Project</em>\n\nText.', '# Logo My Project\n\nText.'],
    ['a cell of a table', '| a | b |\n|---|---|\n| <b>x</b> | y |', '| a | b |\n|---|---|\n| x | y |'],
    ['a list', '- one <kbd>x</kbd>\n- two', '- one x\n- two'],
    ['a quotation', '> one <i>x</i>\n> two', '> one x\n> two'],
    ['an image of Markdown', 'A ![plan of the house](img/p.png) follows.', 'A plan of the house follows.'],
    ['the title of an image', '![plan](p.png "Ground floor") here', 'plan Ground floor here'],
    ['an image by reference', '![the plan][1]\n\n[1]: p.png', 'the plan\n\n[1]: p.png'],
    ['an image within a link', '[![build](b.svg)](https://ci)', '[ build ](https://ci)'],
    [
      'references, one of them to no character',
      'R&amp;&#xDFFF;D <b>&#x110000;</b>',
      'R&&#xDFFF;D &#x110000;',
    ],
    ['character references', 'R&amp;D, 5&nbsp;km &#169; &bogus;', 'R&D, 5\u00a0km © &bogus;'],
    ['an image in place', `![A plan](data:image/png;base64,${PAYLOAD}) here`, 'A plan here'],
    ['one of HTML', `<img alt="A plan" src="data:image/png;base64,${PAYLOAD}"> here`, 'A plan here'],
    [
      'one by reference',
      `![A plan][1]\n\n[1]: <data:image/png;base64,${PAYLOAD}>`,
      'A plan\n\n[1]: <data:image/png;base64,>',
    ],
  ])('%s', (_, text, embedded) => {
    expect(embeddedOf(text)).toBe(embedded);
  });

  test.each<[string, string]>([
    ['a code span', 'Use `<b>` and ``<img alt="x">``.'],
    ['a fenced block', '```html\n<b>bold</b> &amp;\n```'],
    ['an indented block', 'Text:\n\n    <b>bold</b> &amp;'],
    ['what is escaped', 'Not \\<b> and \\![x](y).'],
    ['a comparison', 'a < b and c > d, 1 <2'],
    ['an autolink', '<https://example.org> <a@b.org>'],
    ['a mark before a note', 'wow![1]'],
    ['a tag that is not closed', '<div class="x" and words\nmore words'],
    ['a comment that is not closed', '<!-- never closed\n\nwords'],
    ['ampersands', 'R&D, AT&T, a && b'],
    ['a short data URL', '[x](data:text/plain,hello)'],
  ])('%s is embedded as it is written', (_, text) => {
    for (const chunk of chunksOf(text)) expect(chunk).not.toHaveProperty('embeddedText');
  });

  test('plain text is embedded as it is written', () => {
    const chunk = createChunker({ maxTokens: 64, overlapTokens: 0 }, wordCounter);
    const [only] = chunk({ text: 'a <b>b</b> &amp; ![c](d)', title: null });
    expect(only).not.toHaveProperty('embeddedText');
  });

  test('markup alone is embedded as it is written, without what data URLs hold', () => {
    expect(chunksOf('<br>\n<hr>')[0]).not.toHaveProperty('embeddedText');
    expect(embeddedOf(`![](data:image/png;base64,${PAYLOAD})`)).toBe('![](data:image/png;base64,)');
  });

  test('sections are named without tags', () => {
    const text = '# <img src="x" alt="Logo"> My <em>Project</em>\n\nText.';
    expect(chunksOf(text)[0]?.title).toBe('Logo My Project');
  });

  test('Windows line ends change nothing of what is embedded', () => {
    const text = '<p>\n<b>a</b>\n</p>\n\nb <i>c</i>\n![d](e)';
    const [chunk] = chunksOf(text.replaceAll('\n', '\r\n'));
    expect(chunk?.embeddedText).toBe(chunksOf(text)[0]?.embeddedText);
    expect(chunk?.text).toBe(text.replaceAll('\n', '\r\n'));
  });

  test('an image in place is in one chunk with its text, and tokens are those of what is embedded', () => {
    const word = (index: number) => `word${index}`;
    const words = Array.from({ length: 40 }, (_, index) => word(index)).join(' ');
    const chunks = chunksOf(`${words} ![A plan](data:image/png;base64,${PAYLOAD}) ${words}`, 32);
    expect(chunks.length).toBeLessThan(6);
    for (const chunk of chunks) {
      const embedded = embeddedText(chunk, false);
      expect(chunk.tokens).toBe(wordCounter.count(embedded) + wordCounter.specialTokens);
      expect(embedded).not.toContain('iVBOR');
    }
  });
});

describe('a chunk that is embedded otherwise than it is written', () => {
  const chunk = chunkOf('a', 'x <b>y</b>', { embeddedText: 'x y' });

  test('travels so in jobs, counted in their bytes; jobs without it are read', () => {
    const plain = chunkOf('a', 'x <b>y</b>');
    const job = encodeJob('run-1', 0, [chunk]);
    expect(chunkRecordsOf(decodeJob(structuredClone(job)), 'docs')).toEqual([chunk]);
    expect(jobBytes(job) - jobBytes(encodeJob('run-1', 0, [plain]))).toBe(',"embeddedText":"x y"'.length);
    expect(chunkRecordsOf(decodeJob(encodeJob('run-1', 0, [plain])), 'docs')).toEqual([plain]);
    const forged = { ...job, chunks: [{ ...job.chunks[0], embeddedText: 1 }] };
    expect(() => decodeJob(forged)).toThrow(/embeddedText/);
  });

  test('has the hash of what is embedded, and its text in the other one', () => {
    expect(textHash('', embeddedText(chunk, false))).toBe(textHash('', 'x y'));
    const hash = payloadHash(chunk, {});
    expect(payloadHash({ ...chunk, text: 'x <i>y</i>' }, {})).not.toBe(hash);
    const { embeddedText: _, ...without } = chunk;
    expect(payloadHash({ ...without, text: 'other' }, {})).toBe(payloadHash(without, {}));
  });

  test('has its title above it where that is embedded', () => {
    expect(embeddedText({ ...chunk, title: 'Title' }, true)).toBe('Title\n\nx y');
  });
});

describe('--repeat-table-header (issue 13, C14)', () => {
  const rows = Array.from({ length: 20 }, (_, index) => `| row ${index} | value ${index} |`);
  const table = ['| <b>name</b> | value |', '| --- | --- |', ...rows].join('\n');
  const repeat = { repeatTableHeader: true };

  test('each further chunk of a table has its header row in what is embedded', () => {
    const text = `Before it.\n\n${table}\n\nBehind it.`;
    const chunks = chunksOf(text, 40, repeat);
    expect(chunks.length).toBeGreaterThan(3);
    const [first, ...others] = chunks;
    expect(first?.embeddedText).toMatch(/^Before it\.\n\n\| name \| value \|\n\| --- /);
    for (const chunk of others) {
      expect(chunk.embeddedText).toBe(`| name | value |\n${chunk.text}`);
      expect(chunk.text).toBe(text.slice(chunk.start, chunk.end));
      expect(chunk.tokens).toBe(wordCounter.count(chunk.embeddedText ?? '') + wordCounter.specialTokens);
      expect(chunk.tokens).toBeLessThanOrEqual(40);
    }
    expect(chunks.at(-1)?.text).toContain('Behind it.');
  });

  test('not unless asked for, and not above what is no row', () => {
    for (const chunk of chunksOf(table, 40).slice(1)) expect(chunk).not.toHaveProperty('embeddedText');
    const words = Array.from({ length: 90 }, (_, index) => `word${index}`).join(' ');
    const behind = chunksOf(`${table}\n\n${words}`, 40, repeat).filter(({ text }) => text.startsWith('word'));
    expect(behind.length).toBeGreaterThan(1);
    for (const chunk of behind) expect(chunk).not.toHaveProperty('embeddedText');
  });

  test('of two tables each has its own, with an overlap, too', () => {
    const second = table.replace('<b>name</b> | value', 'city | country').replaceAll('row', 'town');
    const chunks = chunksOf(`${table}\n\n${second}`, 60, { ...repeat, overlapTokens: 12 });
    for (const { text, embeddedText: embedded, tokens } of chunks) {
      expect(tokens).toBeLessThanOrEqual(60);
      if (text.startsWith('| row')) expect(embedded).toMatch(/^\| name \| value \|\n\| row/);
      if (text.startsWith('| town')) expect(embedded).toMatch(/^\| city \| country \|\n\| town/);
    }
    expect(chunks.filter(({ text }) => text.startsWith('| town')).length).toBeGreaterThan(1);
  });

  test('pieces of a row that is too long have it; one of more than half a chunk is not repeated', () => {
    const words = Array.from({ length: 60 }, (_, index) => `word${index}`).join(' ');
    const cut = chunksOf(`| name | value |\n|---|---|\n| a | ${words} |`, 24, repeat);
    for (const chunk of cut.slice(1)) expect(chunk.embeddedText).toMatch(/^\| name \| value \|\n/);
    const long = chunksOf(`| name | ${words} |\n|---|---|\n${rows.join('\n')}`, 24, repeat);
    expect(Math.max(...long.map(({ tokens }) => tokens))).toBeLessThanOrEqual(24);
    for (const chunk of long) expect(chunk).not.toHaveProperty('embeddedText');
  });

  test('makes another fingerprint', () => {
    const of = (repeatTableHeader: boolean) =>
      pipelineFingerprint(parseChunkingOptions({ repeatTableHeader }, 256));
    expect(of(true)).not.toBe(of(false));
    expect(of(false)).toBe(pipelineFingerprint(parseChunkingOptions({}, 256)));
  });
});

/** Seconds are those of a machine that others use, too: only how they grow is looked at. */
test('hostile markup takes time in proportion to its length', () => {
  const once = (text: string) => {
    const start = performance.now();
    chunksOf(text, 64);
    return performance.now() - start;
  };
  const milliseconds = (text: string) => Math.min(once(text), once(text));
  const units = ['[a](x ', '![a](x', '![', '<a ', '<!-- x ', '<a b="x ', '&amp;', '| <b> '];
  for (const unit of units) {
    const repeated = (length: number) => `x <b>${unit.repeat(length / unit.length)}`;
    const paragraphs = (count: number) => `${repeated(3_500)}\n\n`.repeat(count);
    for (const make of [
      paragraphs,
      (count: number) => repeated(count * 8_000),
      (count: number) => `<div>${unit.repeat(count * 1_500)}`,
    ]) {
      const [short, long] = [milliseconds(make(2)), milliseconds(make(8))];
      // Four times as long: of quadratic time that would be sixteen.
      expect(long, `${unit}: ${short} ms, then ${long} ms`).toBeLessThan(12 * short + 500);
    }
  }
}, 120_000);

test('13.14 a long paragraph takes no more time than the same text in short ones', () => {
  const milliseconds = (text: string, times: number) => {
    const once = () => {
      const start = performance.now();
      for (let time = 0; time < times; time += 1) inlineEdits(text, 0, text.length);
      return performance.now() - start;
    };
    return Math.min(once(), once(), once());
  };
  // Of quadratic time, eight times as much.
  const slow = ['![a](x', '[a](x (y ', ' ', '_*', '<a:b', '<!--a'].flatMap((unit) => {
    const of = (length: number) => `<b> &amp; ${unit.repeat(length / unit.length)}`;
    const [long, short] = [milliseconds(of(7_800), 2), milliseconds(of(975), 16)];
    return long < 4 * short + 10 ? [] : [`${unit}: ${long} ms instead of ${short} ms`];
  });
  expect(slow).toEqual([]);
}, 60_000);

test('13.14 where a text makes the parser read too far ahead, the rest of it stays as it is written', () => {
  const start = 'Hello <b>you</b> and ![me](u "t"). ';
  const chunks = chunksOf(start + '![a](x'.repeat(1_200), 4_000);
  const embedded = chunks.map((chunk) => embeddedText(chunk, false)).join('');
  expect(embedded.slice(0, 26)).toBe('Hello you and me t . ![a](');
});

test('whatever is written, chunks are slices within the limit, and all but markup is embedded (fuzz)', () => {
  const piece = fc.constantFrom(
    'word one.',
    ' ',
    '\n',
    '\n\n',
    '\r\n',
    '<b>',
    '</b>',
    '<img alt="x y"',
    '>',
    '<!--',
    '-->',
    '<div>\n',
    '</div>',
    '`',
    '```\n',
    '![',
    '](',
    ')',
    'data:image/png;base64,',
    'A'.repeat(80),
    '&amp;',
    '&#x1F600;',
    '<script>',
    '</script>',
    '| a | b |\n|---|---|\n',
    '| <b>c</b> | d |\n',
    '# ',
    '> ',
    '- ',
    '\\',
    '<?',
    '?>',
    '"',
    "'",
    '👨‍👩‍👧',
    '<![CDATA[',
    ']]>',
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 40 }),
      fc.boolean(),
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 16, max: 40 }),
      (pieces, repeatTableHeader, overlapTokens, maxTokens) => {
        const text = pieces.join('');
        const covered = new Uint8Array(text.length);
        for (const chunk of chunksOf(text, maxTokens, { repeatTableHeader, overlapTokens })) {
          expect(chunk.text).toBe(text.slice(chunk.start, chunk.end));
          expect(chunk.tokens).toBe(
            wordCounter.count(embeddedText(chunk, false)) + wordCounter.specialTokens,
          );
          expect(chunk.tokens).toBeLessThanOrEqual(maxTokens);
          expect(chunk.embeddedText?.trim()).not.toBe('');
          covered.fill(1, chunk.start, chunk.end);
        }
        for (let at = 0; at < text.length; at += 1)
          if (covered[at] === 0 && wordCounter.count(text[at] ?? '') > 0) expect(text[at]?.trim()).toBe('');
      },
    ),
    { numRuns: 1500 },
  );
});

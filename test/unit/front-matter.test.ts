import { describe, expect, test } from 'vitest';
import { parseFrontMatter } from '../../apps/producer/src/readers/front-matter.ts';
import { parseMetadataFields } from '../../apps/producer/src/readers/metadata-fields.ts';
import { toRfc3339 } from '../../packages/core/src/dates.ts';
import { folderWith, readCorpus } from '../support/read-corpus.ts';

/** Fields and body, or null. */
function read(text: string): [Record<string, unknown>, string] | null {
  const matter = parseFrontMatter(text);
  return matter === null || matter.problem !== null
    ? null
    : [{ ...matter.fields }, text.slice(matter.bodyStart)];
}

describe('front matter', () => {
  test.each<[string, string, Record<string, unknown>, string]>([
    ['YAML', '---\ntitle: x\ntags: [a, b]\n---\nBody', { title: 'x', tags: ['a', 'b'] }, 'Body'],
    ['closed by dots', '---\ntitle: x\n...\nBody\n---\nMore', { title: 'x' }, 'Body\n---\nMore'],
    ['Windows line ends', '---\r\ntitle: x\r\n---\r\nBody', { title: 'x' }, 'Body'],
    ['old Mac line ends', '---\rtitle: x\r---\rBody', { title: 'x' }, 'Body'],
    ['a byte order mark', '\uFEFF---\ntitle: x\n---\nBody', { title: 'x' }, 'Body'],
    ['blanks behind the lines', '---  \ntitle: x\n--- \nBody', { title: 'x' }, 'Body'],
    ['a later thematic break', '---\ntitle: x\n---\nOne\n\n---\n\nTwo', { title: 'x' }, 'One\n\n---\n\nTwo'],
    ['a block scalar', '---\ntext: |\n  one\n  two\n---\nBody', { text: 'one\ntwo\n' }, 'Body'],
    ['dates stay texts', '---\ndate: 2024-05-01\n---\nBody', { date: '2024-05-01' }, 'Body'],
    ['nothing behind it', '---\ntitle: x\n---', { title: 'x' }, ''],
    [
      'an empty block',
      '---\n---\n\nOpening hours\n\n---\n\nParking',
      {},
      '\nOpening hours\n\n---\n\nParking',
    ],
    [
      'TOML',
      '+++\ntitle = "x"\ndate = 2024-05-01\n[a]\nb = 1\n+++\nBody',
      { title: 'x', date: '2024-05-01', a: { b: 1 } },
      'Body',
    ],
    [
      'JSON on one line',
      '{"title": "}{", "a": {"b": 1}}  \r\n\r\nBody',
      { title: '}{', a: { b: 1 } },
      '\r\nBody',
    ],
    [
      'JSON that begins and ends within lines',
      '{ "title": "x",\n  "a": 1 }\nBody',
      { title: 'x', a: 1 },
      'Body',
    ],
    ['JSON', '{\n  "title": "x",\n  "a": {\n"b": 1\n}\n}\nBody', { title: 'x', a: { b: 1 } }, 'Body'],
  ])('%s', (_, text, fields, body) => {
    expect(read(text)).toEqual([fields, body]);
  });

  test.each([
    ['a page that begins with a thematic break', '---\n\nOpening hours are nine to five.\n\n---\n\nParking.'],
    ['a heading between thematic breaks', '---\n# Heading\n---\nBody'],
    ['a list', '---\n- a\n- b\n---\nBody'],
    ['prose', '---\nJust a sentence.\n---\nBody'],
    ['broken YAML', '---\ntitle: "x\n---\nBody'],
    ['one that is not closed', '---\ntitle: x\n\nBody'],
    ['one that does not begin the file', '\n---\ntitle: x\n---\nBody'],
    ['four dashes', '----\ntitle: x\n----\nBody'],
    ['broken TOML', '+++\ntitle = \n+++\nBody'],
    ['JSON in a line of text', '{"title": "x"} is an object'],
    ['JSON without fields', '{}\nBody'],
    ['a template', '{{ title }}\nBody'],
    ['a tag of a template', '{% raw %}\nBody'],
    ['a set', '{ a, b }\nBody'],
    ['JSON that is not closed', '{\n"title": "x"\n\nBody'],
    ['no text', ''],
  ])('%s is text', (_, text) => {
    expect(read(text)).toBeNull();
  });

  test('names of prototypes are only names, and aliases do not grow without end', () => {
    const matter = parseFrontMatter('---\n__proto__: x\nconstructor: y\n---\n');
    expect(Object.entries(matter?.fields ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    const bomb = `---\na: &a [x, x, x, x, x, x, x, x, x]\n${['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']
      .map(
        (name, index) =>
          `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefghij'[index]}`).join(', ')}]`,
      )
      .join('\n')}\n---\nBody`;
    expect(read(bomb)).toBeNull();
  });
});

describe('13.13 numbers of front matter', () => {
  const fields = 'version: 1.10\nzip: 01234\nbig: 12345678901234567890\nin:\n  sha: 1e10\n';
  test.each([
    ['YAML', `---\n${fields}---\nBody`, { version: '1.10', zip: '01234', 'in.sha': '1e10' }],
    [
      'JSON',
      '{\n"version": 1.10,\n"big": 12345678901234567890,\n"in": {"sha": 1e10}\n}\nBody',
      { version: '1.10', 'in.sha': '1e10' },
    ],
    ['TOML', '+++\ntitle = "x"\nbig = 12345678901234567890\n+++\nBody', {}],
  ])('keep their digits as texts, and are left out where they would lose some: %s', async (_, text, kept) => {
    const cwd = await folderWith({ 'a.md': text });
    const names = 'version,zip,in.sha,big'.split(',');
    const read = (list: string) => readCorpus(cwd, { metadataFields: parseMetadataFields(list) });
    const asTexts = await read(names.map((name) => `${name}:text`).join(','));
    expect(asTexts.metadata[0]).toMatchObject(kept);
    expect(asTexts.metadata[0]?.['big']).toBe('12345678901234567890');
    const asNumbers = await read(names.join(','));
    expect(asNumbers.metadata[0]).not.toHaveProperty('big');
    expect(asNumbers.report.metadataLeftOut).toMatchObject([
      { field: 'big', why: expect.stringContaining('12345678901234567890') as string },
    ]);
    expect(asNumbers.documents[0]?.text.slice(asNumbers.documents[0].bodyStart)).toBe('Body');
  });

  test('a title that is a number is as it is written', async () => {
    const cwd = await folderWith({ 'a.md': '---\ntitle: 1.10\n---\nB', 'b.md': '---\ntitle: 007\n---\nB' });
    expect((await readCorpus(cwd)).documents.map(({ title }) => title)).toEqual(['1.10', '007']);
  });
});

test.each([
  ['---\ntitle: Foo: the bar\n---\nBody', 'YAML'],
  ['---\nauthor: @me\n---\nBody', 'YAML'],
  ['---\nlist:\n\t- a\n---\nBody', 'YAML'],
  ['+++\ntitle = Foo\n+++\nBody', 'TOML'],
])('13.13 front matter that cannot be parsed is text, and told: %j', async (text, format) => {
  const found = await readCorpus(await folderWith({ 'a.md': text }));
  expect([found.texts, found.documents[0]?.bodyStart]).toEqual([[text], 0]);
  expect(found.report.forms).toMatchObject([
    { what: expect.stringContaining(`not ${format} is read as text`) as string, sample: ['a.md'] },
  ]);
});

test('13.13 what stands between thematic breaks is text, and nothing to tell', async () => {
  const text = '---\nOpening hours are nine to five: come in.\n---\nBody';
  const found = await readCorpus(await folderWith({ 'a.md': text }));
  expect([found.texts, found.report.forms]).toEqual([[text], []]);
});

test.each([
  ['2015-11-17 16:16:01 -0600', '2015-11-17T16:16:01-06:00'],
  ['2024-01-02 03:04:05.25+02', '2024-01-02T03:04:05.25+02:00'],
  ['2024-01-02 03:04:05 UTC', '2024-01-02T03:04:05Z'],
  ['2024-01-02T03:04:05z', '2024-01-02T03:04:05Z'],
  ['2024-01-02 03:04:05 +9', null],
  ['2024-01-02T03:04:05+2400', null],
  ['2024-01-02 UTC', null],
])('13.12 dates as Jekyll and databases write them: %s', (written, date) => {
  expect(toRfc3339(written)).toBe(date);
});

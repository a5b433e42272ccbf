import { describe, expect, test } from 'vitest';
import { parseFrontMatter } from '../../apps/producer/src/readers/front-matter.ts';

/** Fields and body, or null. */
function read(text: string): [Record<string, unknown>, string] | null {
  const matter = parseFrontMatter(text);
  return matter === null ? null : [{ ...matter.fields }, text.slice(matter.bodyStart)];
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
    ['JSON in one line', '{"title": "x"} is an object'],
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

import { textHash } from '@embedline/core';
import { readdir, readlink } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { folderWith, readCorpus } from '../support/read-corpus.ts';

const le = (text: string) => Buffer.from(text, 'utf16le');
const be = (text: string) => le(text).swap16();
const CSV = 'id,text\r\n1,Grüße aus Köln\r\n2,漢字 und 😀\r\n';
const texts = ['Grüße aus Köln', '漢字 und 😀'];

describe('13.11 UTF-16 is detected', () => {
  test.each([
    ['little-endian with a byte order mark', le(`\uFEFF${CSV}`)],
    ['big-endian with a byte order mark', be(`\uFEFF${CSV}`)],
    ['little-endian without', le(CSV)],
    ['big-endian without', be(CSV)],
  ])('%s: CSV, JSONL, text, gzip', async (_, bytes) => {
    const found = await readCorpus(await folderWith({ 'a.csv': bytes, 'b.csv.gz': gzipSync(bytes) }));
    expect([found.texts, found.reasons]).toEqual([[...texts, ...texts], []]);
    expect(found.report.forms).toMatchObject([
      { what: expect.stringMatching(/^read as utf-16/) as string, files: 2 },
    ]);
  });

  test('JSONL and text too; of a script that has few zeros; cut anywhere', async () => {
    const jsonl = le('{"id":"1","text":"Привет, мир"}\n');
    const chinese = `${'敏捷的棕色狐狸跳过懒狗。'.repeat(3000)}\n`;
    const found = await readCorpus(
      await folderWith({
        'a.jsonl': jsonl,
        'b.txt': le('hi'),
        'c.txt': be(chinese),
        'd.txt': le(`${'a'.repeat(8191)}😀${'b'.repeat(9000)}`),
      }),
    );
    expect(found.texts).toEqual(['Привет, мир', 'hi', chinese, `${'a'.repeat(8191)}😀${'b'.repeat(9000)}`]);
  });

  test('half a surrogate pair costs its record alone; UTF-32 is refused by name', async () => {
    const lines = '{"id":"1","text":"a"}\n{"id":"2","text":"x\ud800y"}\n{"id":"3","text":"c"}\n';
    const utf32 = Buffer.from(Array.from('hello', (letter) => [letter.charCodeAt(0), 0, 0, 0]).flat());
    const found = await readCorpus(await folderWith({ 'a.jsonl': le(`\uFEFF${lines}`), 'b.txt': utf32 }));
    expect(found.ids).toEqual(['1', '3']);
    expect(found.reasons).toEqual([
      expect.stringMatching(/^a\.jsonl:2 it holds bytes that are not utf-16le/),
      expect.stringMatching(/^b\.txt: it is UTF-32/),
    ]);
  });

  test('a text in UTF-8 is left as it is, a zero in it too', async () => {
    const found = await readCorpus(
      await folderWith({ 'a.txt': 'a zero \0 in the middle of a long line', 'b.txt': '\uFEFFmarked' }),
    );
    expect(found.texts).toEqual(['a zero \0 in the middle of a long line', 'marked']);
    expect(found.report.forms).toMatchObject([
      { what: expect.stringContaining('NUL') as string, sample: ['a.txt'] },
    ]);
  });
});

describe('13.11 UTF-16 of any script is detected without a byte order mark', () => {
  test.each([
    'Это русский текст, и в нём два предложения.',
    'Привет',
    'Größe',
    'Καλημέρα κόσμε',
    'שלום עולם',
    'مرحبا بالعالم',
    'नमस्ते दुनिया',
    'สวัสดีชาวโลก',
    'Zażółć gęślą jaźń',
    'Հայերեն',
    '日本語の文章です。今日は天気がいいですね。',
    '한국어 문서입니다.',
  ])('%s', async (text) => {
    const cut = le(text).subarray(0, -1);
    const found = await readCorpus(
      await folderWith({ 'a.txt': le(text), 'b.txt': be(text), 'c.txt': le(text.repeat(900)), 'd.txt': cut }),
    );
    expect(found.texts).toEqual([text, text, text.repeat(900)]);
    expect(found.reasons).toEqual([expect.stringMatching(/^d\.txt: it holds bytes that are not utf-16le/)]);
  });

  test.each([
    ['texts with NUL characters between them', 'one\0two\0three\0four\0'],
    ['ANSI colours', '\x1b[31mred\x1b[0m and more'],
    ['tabs at every other place', 'a\tb\tc\td\t'],
  ])('what is UTF-8 is left as it is: %s', async (_, text) => {
    expect((await readCorpus(await folderWith({ 'a.txt': text }))).texts).toEqual([text]);
  });
});

describe('13.11 UTF-32 and ISO-2022-JP', () => {
  const utf32 = (text: string, isLittle: boolean) => {
    const bytes = Buffer.concat(Array.from(text, () => Buffer.alloc(4)));
    for (const [index, character] of Array.from(text).entries()) {
      const point = character.codePointAt(0) ?? 0;
      if (isLittle) bytes.writeUInt32LE(point, index * 4);
      else bytes.writeUInt32BE(point, index * 4);
    }
    return bytes;
  };

  test.each(['日本', 'hello', 'Привет 😀'])(
    '%s in UTF-32 is refused by name, and its file is closed',
    async (text) => {
      const cwd = await folderWith({ 'a.txt': utf32(text, true), 'b.txt': utf32(text, false) });
      const { reasons } = await readCorpus(cwd);
      expect(reasons).toEqual([expect.stringMatching(/it is UTF-32/), expect.stringMatching(/it is UTF-32/)]);
      const open = await Promise.all(
        (await readdir('/proc/self/fd')).map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
      );
      expect(open.filter((path) => path.startsWith(cwd))).toEqual([]);
    },
  );

  test('ISO-2022-JP is read, and told', async () => {
    const bytes = Buffer.from('a \x1b$BF|K\\8l\x1b(B b', 'latin1');
    const found = await readCorpus(await folderWith({ 'a.txt': bytes }));
    expect(found.texts).toEqual(['a 日本語 b']);
    expect(found.report.forms).toMatchObject([{ what: 'read as iso-2022-jp' }]);
  });
});

describe('13.11 what an encoding is said to be', () => {
  test.each([
    ['a short text', Buffer.from('Gr\xf6\xdfe', 'latin1')],
    [
      'DOS',
      Buffer.from('Gr\x94\xe1e und Qualit\x84t: f\x81r jede Stra\xe1e, f\x81r alle T\x84ler', 'latin1'),
    ],
    [
      'an old Mac',
      Buffer.from('Gr\x9a\xa7e und Qualit\x8at: Stra\xa7e, Ma\xa7e, Grü\xa7e, Fü\xa7e', 'latin1'),
    ],
  ])('%s is not said to be another', async (_, bytes) => {
    const { reasons } = await readCorpus(await folderWith({ 'a.txt': bytes }));
    expect(reasons).toEqual([
      expect.stringMatching(/not UTF-8 at byte \d+: its encoding is not clear\. Name it, e\.g\. --encoding/),
    ]);
  });
});

describe('13.11 other encodings', () => {
  test('are read when they are named', async () => {
    const cwd = await folderWith({ 'a.csv': Buffer.from('id,text\n1,caf\xe9 \x80 5\n', 'latin1') });
    expect((await readCorpus(cwd, { encoding: 'latin1' })).texts).toEqual(['café € 5']);
    const sjis = await folderWith({ 'b.txt': Buffer.from([0x93, 0xfa, 0x96, 0x7b, 0x8c, 0xea]) });
    expect((await readCorpus(sjis, { encoding: 'shift_jis' })).texts).toEqual(['日本語']);
  });

  test('a byte order mark goes before the name; what the encoding does not know costs its record', async () => {
    const cwd = await folderWith({
      'a.txt': '\uFEFFKöln',
      'b.jsonl': Buffer.from([
        ...Buffer.from('{"id":"1","text":"'),
        0xff,
        0xff,
        ...Buffer.from('"}\n{"id":"2","text":"ok"}\n'),
      ]),
    });
    const found = await readCorpus(cwd, { encoding: 'shift_jis' });
    expect(found.texts).toEqual(['Köln', 'ok']);
    expect(found.reasons).toEqual([
      expect.stringMatching(/^b\.jsonl:1 it holds bytes that are not shift_jis/),
    ]);
  });

  test('a file in another one says which one it seems to be', async () => {
    const latin = Buffer.from('Le caf\xe9 est tr\xe8s bon, et les \xe9l\xe8ves sont l\xe0.', 'latin1');
    const russian = Buffer.from([
      0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2, 0x20, 0xec, 0xe8, 0xf0, 0x2c, 0x20, 0xea, 0xe0, 0xea, 0x20, 0xe4,
      0xe5, 0xeb, 0xe0,
    ]);
    const found = await readCorpus(await folderWith({ 'a.txt': latin, 'b.txt': russian }));
    expect(found.ids).toEqual([]);
    expect(found.reasons).toEqual([
      expect.stringMatching(
        /^a\.txt: not UTF-8 at byte 7: it seems to be windows-1252; read it with --encoding windows-1252/,
      ),
      expect.stringMatching(/^b\.txt: not UTF-8 at byte 1: it seems to be (windows-1251|koi8-r|iso-8859-5)/),
    ]);
  });
});

describe('13.15 line ends', () => {
  test('LF, CRLF and old Mac ends are kept, and are one text to what is hashed, in text, Markdown and CSV', async () => {
    const written = (end: string) => ({
      'a.txt': ['one', 'two', '', 'three'].join(end),
      'b.md': ['# Title', '', 'Text.'].join(end),
      'c.csv': ['id,text', '1,"two', 'lines"', '2,x', ''].join(end),
    });
    const [lf, crlf, cr] = await Promise.all(
      ['\n', '\r\n', '\r'].map(async (end) => readCorpus(await folderWith(written(end)))),
    );
    const said = (found: typeof lf) =>
      found?.documents.map(({ id, text, title }) => ({ id, hash: textHash('', text), title }));
    expect(said(lf)).toHaveLength(4);
    expect(said(crlf)).toEqual(said(lf));
    expect(said(cr)).toEqual(said(lf));
    expect(crlf?.documents[0]?.text).toBe('one\r\ntwo\r\n\r\nthree');
  });

  test('JSON lines of an old Mac are lines', async () => {
    expect(
      (await readCorpus(await folderWith({ 'a.jsonl': '{"id":"1","text":"a"}\r{"id":"2","text":"b"}\r' })))
        .ids,
    ).toEqual(['1', '2']);
  });

  test('a gzip is one, whatever it is called: data.jsonl.GZ, data.jsonl', async () => {
    const packed = (id: string) => gzipSync(`{"id":"${id}","text":"x"}\n`);
    const cwd = await folderWith({ 'data.jsonl.GZ': packed('1'), 'plain.jsonl': packed('2') });
    expect((await readCorpus(cwd)).ids).toEqual(['1', '2']);
    expect((await readCorpus(cwd, { sources: [{ path: 'data.jsonl.GZ', format: 'jsonl' }] })).ids).toEqual([
      '1',
    ]);
  });
});

test.each([
  [
    'a line of Latin-1 in a file of UTF-8',
    Buffer.concat([Buffer.from('ä ö ü €\n'), Buffer.from('\xe4\n', 'latin1')]),
    14,
  ],
  ['a truncated last character', Buffer.from('日本語の文章').subarray(0, -1), 16],
])('13.11 UTF-8 with other bytes in it is not taken for another encoding: %s', async (_, bytes, at) => {
  const { reasons } = await readCorpus(await folderWith({ 'a.txt': bytes }));

  expect(reasons).toEqual([expect.stringContaining(`not UTF-8 at byte ${at}, though it is UTF-8 before`)]);
});

test.each([
  ['UTF-16 appended to ASCII', Buffer.concat([Buffer.from('line\n'), Buffer.from('line\n', 'utf16le')])],
  ['the head of a program', Buffer.from('\x7fELF\0\0\0\0')],
])('13.15 a text with NUL characters is told: %s', async (_, bytes) => {
  const { report } = await readCorpus(await folderWith({ 'a.txt': bytes, 'b.txt': 'plain' }));
  expect(report.forms).toMatchObject([
    { what: expect.stringContaining('NUL characters') as string, sample: ['a.txt'] },
  ]);
});

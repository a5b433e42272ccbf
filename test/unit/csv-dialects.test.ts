import { describe, expect, test } from 'vitest';
import { readCsv } from '../../apps/producer/src/readers/csv-reader.ts';
import { folderWith, readCorpus } from '../support/read-corpus.ts';
import { collect, inBlocks, RECORD_OPTIONS } from '../support/read-items.ts';

describe('13.8 backslashes before quotes, as Spark and Python write them', () => {
  test.each([
    ['within a field', 'a.csv', 'id,text\n1,"he said \\"hi\\" there"\n2,x\n', ['he said "hi" there', 'x']],
    ['before a comma', 'a.csv', 'id,text\n1,"a \\"b\\", c"\n2,"end \\"q\\""\n', ['a "b", c', 'end "q"']],
    ['over lines', 'a.csv', 'id;text\n1;"one\n\\"two\\" x"\n2;y\n', ['one\n"two" x', 'y']],
    ['in TSV', 'a.tsv', '"id"\t"text"\n"1"\t"say \\"a\tb\\""\n', ['say "a\tb"']],
    ['with paths', 'a.csv', 'id,text\n1,"\\"x\\" in C:\\new"\n2,"C:\\\\"\n', ['"x" in C:\\new', 'C:\\']],
  ])('are found out, and told: %s', async (_, name, content, texts) => {
    const found = await readCorpus(await folderWith({ [name]: content }));
    expect([found.texts, found.reasons]).toEqual([texts, []]);
    expect(found.report.forms).toMatchObject([{ what: expect.stringContaining('escapes \\') as string }]);
  });

  test('a row that they cost names --escape; one of other wrong quotes names --quote', async () => {
    const found = await readCorpus(
      await folderWith({
        'a.csv': 'id,text\n1,"a" b\n2,"he \\"said\\" it"\n3,x\n4,"C:\\"\n',
        'b.csv': 'id,text\n1,C:\\\n2,"a \\""',
      }),
    );
    expect(found.ids).toEqual(['3', '4', '1']);
    expect(found.reasons).toEqual([
      expect.stringMatching(/^a\.csv:2 .*text follows a closing quote.*--quote none/),
      expect.stringMatching(/^a\.csv:3 .*text follows a closing quote.*--escape '\\'/),
      expect.stringMatching(/^b\.csv: not CSV from line 3 on.*--escape '\\'/),
    ]);
  });
});

describe('13.8 blanks and blank rows', () => {
  test.each([
    ['before quotes', 'id, text\n1, "a, b"\n2, c\n', ['a, b', 'c']],
    ['before all fields', ' "id";  "text"\n "1";  "x;""y"""\n', ['x;"y"']],
    ['behind closing quotes', '"id" ,"text" \n"1"  ,"a, b" \n', ['a, b']],
  ])('%s are no part of a field', async (_, content, texts) => {
    const found = await readCorpus(await folderWith({ 'a.csv': content }));
    expect([found.texts, found.reasons]).toEqual([texts, []]);
  });

  test('blanks before fields without quotes are kept', async () => {
    expect((await readCorpus(await folderWith({ 'a.csv': 'id,text\n1,  x\n' }))).texts).toEqual(['  x']);
  });

  test('a row of nothing but commas, blanks or empty quotes is no record, as below a spreadsheet', async () => {
    const found = await readCorpus(
      await folderWith({ 'a.csv': 'id,text,n\n1,x,\n,,\n   \n"",,""\n , ,\n2,,y\n,,,,,\n' }),
    );
    expect([found.ids, found.reasons, found.problems, found.report.shortRows.rows]).toEqual([
      ['1', '2'],
      [],
      [],
      0,
    ]);
  });
});

describe('13.8 byte order marks where files were joined', () => {
  const mark = '\uFEFF';

  test.each([
    ['CSV', 'a.csv', `${mark}id,text\n1,x\n${mark}2,y${mark}\n${mark}"3","z"\n`, ['x', `y${mark}`, 'z']],
    ['old Macs', 'a.csv', `${mark}${mark}id,text\r1,x\r${mark}2,y\r`, ['x', 'y']],
    [
      'JSON lines',
      'a.jsonl',
      `${mark}{"id":"1","text":"x"}\n${mark}{"id":"2","text":"${mark}y"}\n`,
      ['x', `${mark}y`],
    ],
  ])('are no part of a record, and are told: %s', async (_, name, content, texts) => {
    const found = await readCorpus(await folderWith({ [name]: content }));
    expect([found.texts, found.ids, found.reasons]).toEqual([
      texts,
      ['1', '2', '3'].slice(0, texts.length),
      [],
    ]);
    expect(found.report.forms).toMatchObject([
      { what: expect.stringContaining('byte order marks') as string },
    ]);
  });

  test('they are found however the file is cut into blocks, and within quotes they are kept', async () => {
    const bytes = Buffer.from(`${mark}id,text\n1,"${mark}x\n${mark}y"\n${mark}"2",y\n`);
    for (let size = 1; size < bytes.length; size += 1) {
      const { documents } = await collect(readCsv(inBlocks(bytes, size), 'a.csv', ',', RECORD_OPTIONS));
      expect(documents.map(({ id, text }) => [id, text])).toEqual([
        ['1', `${mark}x\n${mark}y`],
        ['2', 'y'],
      ]);
    }
  });
});

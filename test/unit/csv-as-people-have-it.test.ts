import { describe, expect, test } from 'vitest';
import { parseMetadataFields } from '../../apps/producer/src/readers/metadata-fields.ts';
import { folderWith, readCorpus } from '../support/read-corpus.ts';

const csv = (delimiter?: string, quote?: string | null, header = true) => ({ delimiter, quote, header });

describe('13.8 delimiters are found out, and told', () => {
  test.each([
    [';', 'id;text;note\n1;a, b;x\n2;c;y\n', ['a, b', 'c']],
    ['|', 'text|id\nfirst, with comma|1\nsecond|2\n', ['first, with comma', 'second']],
    ['tabs', 'id\ttext\n1\tone\n2\ttwo\n', ['one', 'two']],
  ])('%s', async (what, content, texts) => {
    const found = await readCorpus(await folderWith({ 'a.csv': content }));
    expect([found.texts, found.reasons]).toEqual([texts, []]);
    expect(found.report.forms).toMatchObject([
      { what: expect.stringContaining(what) as string, files: 1, sample: ['a.csv'] },
    ]);
  });

  test("Excel's sep= line is no row, and has its say; a byte order mark before it too", async () => {
    const found = await readCorpus(
      await folderWith({
        'a.csv': '\uFEFFsep=;\r\nid;text\r\n1;x,y\r\n',
        'b.csv': '"sep=|"\nid|text\n2|z\n',
      }),
    );
    expect(found.documents.map(({ id, text, origin }) => [id, text, origin.line])).toEqual([
      ['1', 'x,y', 3],
      ['2', 'z', 3],
    ]);
  });

  test('what is said is not guessed: --delimiter, --quote, --no-header with columns by number', async () => {
    const cwd = await folderWith({ 'a.csv': "7#'it#s'\n8#x\n" });
    const found = await readCorpus(cwd, { csv: csv('#', "'", false), idFields: ['1'], textFields: ['2'] });
    expect([found.ids, found.texts]).toEqual([
      ['7', '8'],
      ['it#s', 'x'],
    ]);
  });

  test('a plain file says nothing of how it was read', async () => {
    const found = await readCorpus(
      await folderWith({ 'a.csv': 'id,text\n1,"a;b;c"\n', 'b.tsv': 'id\ttext\n2\tx\n' }),
    );
    expect(found.report.forms).toEqual([]);
    expect(found.texts).toEqual(['a;b;c', 'x']);
  });
});

describe('13.8 quotes', () => {
  test('TSV has none: A 5" disk costs nothing, nor does a field that begins with one', async () => {
    const rows = Array.from(
      { length: 2000 },
      (_, index) => `p${index}\t${index % 2 === 0 ? 'A 5" disk' : '"Quoted to" the middle'}`,
    );
    const found = await readCorpus(await folderWith({ 'a.tsv': `id\ttext\n${rows.join('\n')}\n` }));
    expect([found.documents.length, found.reasons]).toEqual([2000, []]);
    expect(found.texts.slice(0, 2)).toEqual(['A 5" disk', '"Quoted to" the middle']);
  });

  test('TSV with quotes is read when that is said', async () => {
    const cwd = await folderWith({ 'a.tsv': 'id\ttext\n1\t"two\nlines ""and"" a\ttab"\n' });
    expect((await readCorpus(cwd, { csv: csv(undefined, '"') })).texts).toEqual(['two\nlines "and" a\ttab']);
  });

  test.each([
    [
      'pandas and Excel',
      'id\ttext\n1\t"He said ""hi"""\n2\t"two\nlines"\n3\tplain\n',
      ['He said "hi"', 'two\nlines', 'plain'],
    ],
    ['R, with a tab within', '"id"\t"text"\n"1"\t"one\ttab"\n"2"\t"x"\n', ['one\ttab', 'x']],
    ['rows of several lines', 'id\ttext\r\n1\t"a\r\nb"\r\n2\t"c"\r\n', ['a\r\nb', 'c']],
  ])('TSV whose quotes are those of CSV has them, and says so: %s', async (_, content, texts) => {
    const found = await readCorpus(await folderWith({ 'a.tsv': content }));
    expect([found.texts, found.reasons]).toEqual([texts, []]);
    expect(found.report.forms).toMatchObject([{ what: 'CSV read with tabs between columns and quotes "' }]);
  });

  test('TSV with titles in quotes, or with something behind a closing one, has none', async () => {
    const content = 'id\ttext\n1\t"Hello"\n2\t"He said ""hi""" and went\n3\t"open\n4\tclose"\n';
    const found = await readCorpus(await folderWith({ 'a.tsv': content }));
    expect([found.texts, found.reasons, found.report.forms]).toEqual([
      ['"Hello"', '"He said ""hi""" and went', '"open', 'close"'],
      [],
      [],
    ]);
  });

  test('in CSV a quote within a field is a character like any other', async () => {
    expect((await readCorpus(await folderWith({ 'a.csv': 'id,text\n1,A 5" disk\n2,3"\n' }))).texts).toEqual([
      'A 5" disk',
      '3"',
    ]);
  });

  test('a quote that is never closed costs its row, in the middle, at the end, and beyond the longest row', async () => {
    const good = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => `${from + index},text,more\n`).join('');
    const content = `id,text,note\n${good(0, 5)}5,"open,x\n${good(6, 3000)}`;
    for (const maxLineBytes of [1000, 10_000_000]) {
      const { DEFAULT_RECORD_OPTIONS: defaults } =
        await import('../../apps/producer/src/readers/read-item.ts');
      const found = await readCorpus(await folderWith({ 'a.csv': content }), {
        limits: { ...defaults.limits, maxLineBytes },
      });
      expect(found.documents).toHaveLength(2999);
      expect(found.documents.at(-1)).toMatchObject({ id: '2999', origin: { line: 3001 } });
      expect(found.reasons).toEqual([
        expect.stringMatching(/^a\.csv:7 the row's quotes are wrong: a quote is opened and never closed/),
      ]);
    }
  });

  test('a second stray quote does not swallow the rows between', async () => {
    const cwd = await folderWith({ 'a.csv': 'id,text,n\n1,a,x\n2,"b,x\n3,c,x\n4,"d"e,x\n5,f,x\n' });
    const found = await readCorpus(cwd);
    expect(found.ids).toEqual(['1', '3', '5']);
    expect(found.reasons).toHaveLength(2);
  });

  test('a file that is cut off within quotes says so once, and no line of prose becomes a record', async () => {
    const found = await readCorpus(
      await folderWith({ 'a.csv': 'id,text\n1,x\n2,"It was late,\nand dark, and cold,\nthe end, so far' }),
    );
    expect(found.ids).toEqual(['1']);
    expect(found.reasons).toEqual([expect.stringMatching(/^a\.csv: not CSV from line 3 on/)]);
    expect(found.problems).toHaveLength(1);
  });
});

describe('13.8 rows and headers', () => {
  test('short rows land and are told; long ones cost themselves, unless what is too much is blank', async () => {
    const cwd = await folderWith({ 'a.csv': 'id,text,a,b\n1,x\n2,y,1,2,3\n3,z,1,2,,\n4\n' });
    const found = await readCorpus(cwd);
    expect(found.ids).toEqual(['1', '3']);
    expect(found.report.shortRows).toEqual({ rows: 2, at: 'a.csv:2' });
    expect(found.reasons).toEqual([
      expect.stringMatching(/^a\.csv:3 the row has 5 columns, the header 4 \(if a field holds ","/),
      expect.stringMatching(/^a\.csv:5 no text/),
    ]);
    expect((await readCorpus(cwd, { strictMetadata: true })).ids).toEqual(['3']);
  });

  test('header names are trimmed; two columns of one name in use are refused by name, others are not', async () => {
    expect((await readCorpus(await folderWith({ 'a.csv': ' id , text ,x,x\n1,a,,\n' }))).ids).toEqual(['1']);
    const twice = await readCorpus(await folderWith({ 'a.csv': 'id,text,text\n1,a,b\n' }));
    expect(twice.reasons).toEqual([expect.stringMatching(/two columns "text"/)]);
  });

  test('a header without the columns in use costs one dead letter that names those that are there', async () => {
    const found = await readCorpus(await folderWith({ 'a.csv': 'key,body\n1,a\n2,b\n' }));
    expect(found.reasons).toEqual([
      expect.stringMatching(/no column "id"; it has "key", "body".*--id-field.*--no-header/),
    ]);
  });
});

describe('13.8 a column has one type', () => {
  test('text by default, whatever its values look like', async () => {
    const cwd = await folderWith({ 'a.csv': 'id,text,zip\n1,a,2009\n2,b,01234\n3,c,1e5\n' });
    const found = await readCorpus(cwd, { metadataFields: parseMetadataFields('zip') });
    expect(found.metadata).toEqual([{ zip: '2009' }, { zip: '01234' }, { zip: '1e5' }]);
  });

  test('as declared; what does not fit is left out and counted, or costs the record', async () => {
    const cwd = await folderWith({
      'a.csv':
        'id,text,year,zip,active,when\n1,a,2009,01234,true,2024-02-29\n2,b,n/a,5,maybe,2023-02-29\n3,c,,,NO,2024-01-31 10:00\n4,d,12345678901234567890,1,1,2024-01-31t10:00:00+02:00\n',
    });
    const metadataFields = parseMetadataFields('year:number,zip:text,active:boolean,when:date');
    const found = await readCorpus(cwd, { metadataFields });
    expect(found.metadata).toEqual([
      { year: 2009, zip: '01234', active: true, when: '2024-02-29' },
      { zip: '5' },
      { zip: '', active: false, when: '2024-01-31T10:00:00Z' },
      { zip: '1', active: true, when: '2024-01-31T10:00:00+02:00' },
    ]);
    expect(found.report.metadataLeftOut.map(({ field, records, at }) => [field, records, at])).toEqual([
      ['year', 2, 'a.csv:3'],
      ['active', 1, 'a.csv:3'],
      ['when', 1, 'a.csv:3'],
    ]);
    expect((await readCorpus(cwd, { metadataFields, strictMetadata: true })).ids).toEqual(['1', '3']);
  });

  test('types that there are not, and names that are there twice, are refused', () => {
    expect(() => parseMetadataFields('a:int')).toThrow(/no type "int"/);
    expect(() => parseMetadataFields('a,a=b')).toThrow(/"a" is there twice/);
    expect(() => parseMetadataFields('a"b')).toThrow(/double quote or a backslash/);
    expect(parseMetadataFields('b=a"b')).toEqual([{ name: 'b', from: 'a"b' }]);
    expect(parseMetadataFields('dc:title,t=dc:title:text')).toEqual([
      { name: 'dc:title', from: 'dc:title' },
      { name: 't', from: 'dc:title', valueType: 'text' },
    ]);
  });
});

describe('13.8 backslashes, as databases write them', () => {
  test.each([
    [
      "PostgreSQL's COPY",
      'a.tsv',
      'id\ttext\tnote\n1\tone\\ttab\\nline\t\\N\n2\tC:\\\\temp\t"quoted"\n',
      ['one\ttab\nline', 'C:\\temp'],
    ],
    [
      "MySQL's INTO OUTFILE, with line breaks and tabs behind backslashes",
      'a.tsv',
      'id\ttext\tnote\n1\tone\\\ttab\\\nline\t\\N\n2\t\\N\tx\n',
      ['one\ttab\nline', ''],
    ],
    [
      "MySQL's OPTIONALLY ENCLOSED BY",
      'a.csv',
      'id,text,note\n1,"He said \\"hi, you\\"",\\N\n2,"ends with \\\\","x"\n',
      ['He said "hi, you"', 'ends with \\'],
    ],
  ])('are found out where a missing field is \\N, and told: %s', async (_, name, content, texts) => {
    const found = await readCorpus(await folderWith({ [name]: content }));
    expect([found.texts, found.reasons]).toEqual([texts, []]);
    expect(found.report.forms).toMatchObject([
      { what: expect.stringContaining('escapes \\') as string, files: 1 },
    ]);
  });

  test.each([
    ['--escape says it', 'id,text\n1,"a \\"b\\", c"\n', ['a "b", c'], '\\'],
    ['--escape none says that there are none', 'id,text\n1,\\N\n2,C:\\temp\n', ['\\N', 'C:\\temp'], null],
    ['a path has none', 'id,text\n1,C:\\new\n2,"C:\\"\n', ['C:\\new', 'C:\\'], undefined],
  ])('%s', async (_, content, texts, escape) => {
    const cwd = await folderWith({ 'a.csv': content });
    const found = await readCorpus(cwd, { csv: { header: true, escape } });
    expect([found.texts, found.reasons]).toEqual([texts, []]);
  });

  test('an escape may stand at the end of a block, and rows with one have their own lines', async () => {
    const rows = Array.from({ length: 40_000 }, (_, index) => `${index}\tx\\\ny\\ty\\\\\t\\N\n`);
    const found = await readCorpus(await folderWith({ 'a.tsv': `id\ttext\tnote\n${rows.join('')}` }));
    expect([found.documents.length, found.reasons]).toEqual([40_000, []]);
    expect(new Set(found.texts)).toEqual(new Set(['x\ny\ty\\']));
    expect(found.documents.at(-1)?.origin.line).toBe(2 + 39_999 * 2);
  });
});

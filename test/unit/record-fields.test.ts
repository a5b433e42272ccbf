import { describe, expect, test } from 'vitest';
import { parseMetadataFields } from '../../apps/producer/src/readers/metadata-fields.ts';
import { folderWith, readCorpus } from '../support/read-corpus.ts';

const jsonl = (...records: (object | string)[]) =>
  records.map((record) => `${typeof record === 'string' ? record : JSON.stringify(record)}\n`).join('');
const readLines = async (options: Parameters<typeof readCorpus>[1], ...records: (object | string)[]) =>
  readCorpus(await folderWith({ 'a.jsonl': jsonl(...records) }), options);

describe('13.10 ids', () => {
  test('whole numbers are their decimal text, however many digits; other numbers are refused', async () => {
    const found = await readLines(
      {},
      { id: 7, text: 'a' },
      { id: -1, text: 'b' },
      '{"id":12345678901234567890,"text":"c"}',
      '{"id":1e2,"text":"d"}',
      { id: 1.5, text: 'e' },
      { id: true, text: 'f' },
    );
    expect(found.ids).toEqual(['7', '-1', '12345678901234567890', '100']);
    expect(found.reasons).toEqual([
      expect.stringMatching(/the number 1.5/),
      expect.stringMatching(/a boolean/),
    ]);
  });

  test('several fields make an id together, and no two the same one; paths', async () => {
    const found = await readLines(
      { idFields: ['a', 'b.c'] },
      { a: 'x/y', b: { c: 'z' }, text: '1' },
      { a: 'x', b: { c: 'y/z' }, text: '2' },
      { a: 'x%2Fy', b: { c: 3 }, text: '3' },
      { a: 'x', text: '4' },
    );
    expect(found.ids).toEqual(['x%2Fy/z', 'x/y%2Fz', 'x%252Fy/3']);
    expect(found.reasons).toEqual([expect.stringMatching(/field "b.c" is missing/)]);
  });

  test('from the line, by file; from the content, which is the same wherever it stands', async () => {
    const cwd = await folderWith({
      'a.jsonl': jsonl({ text: 'x' }, { text: 'y' }),
      'sub/a.jsonl': jsonl({ text: 'y' }, { text: 'y', title: 't' }),
    });
    expect((await readCorpus(cwd, { idFrom: 'line' })).ids).toEqual([
      'a.jsonl:1',
      'a.jsonl:2',
      'sub/a.jsonl:1',
      'sub/a.jsonl:2',
    ]);
    const { ids } = await readCorpus(cwd, { idFrom: 'hash' });
    expect(ids[1]).toBe(ids[2]);
    expect(new Set(ids).size).toBe(3);
  });

  test('the last of each id, when that is asked for; a number is not the text that spells it', async () => {
    const found = await readLines(
      { lastOfEachId: true },
      { id: 'a', text: '1' },
      { id: 'b', text: '2' },
      { id: 'a', text: '3' },
      { id: 5, text: '4' },
      { id: '5', text: '5' },
    );
    expect(found.texts).toEqual(['2', '3', '4', '5']);
    expect(found.report.duplicates).toBe(1);
  });
});

describe('13.12 metadata', () => {
  test('takes a path, a field that is called like a path, and what is in lists', async () => {
    const options = {
      metadataFields: parseMetadataFields(
        'author.name,first=tags.0.label,labels=tags.label,flat.key,last=author.x',
      ),
    };
    const found = await readLines(options, {
      id: 'a',
      text: 'x',
      author: { name: 'Ann' },
      tags: [{ label: 'p' }, { label: 'q' }, {}],
      'flat.key': 1,
      flat: { key: 2 },
    });
    expect(found.metadata).toEqual([{ 'author.name': 'Ann', first: 'p', labels: ['p', 'q'], 'flat.key': 1 }]);
  });

  test('what it cannot hold is left out, counted and told, and costs the record only when strict', async () => {
    const options = { metadataFields: parseMetadataFields('n,ok') };
    const records = [
      { id: 'a', text: 'x', n: { deep: 1 }, ok: 1 },
      '{"id":"b","text":"x","n":9007199254740993,"ok":2}',
      '{"id":"c","text":"x","n":1,"n":2,"ok":3}',
      { id: 'd', text: 'x', n: 'y'.repeat(70_000), ok: 4 },
    ];
    const found = await readLines(options, ...records);
    expect(found.metadata).toEqual([{ ok: 1 }, { ok: 2 }, { ok: 3 }, { ok: 4 }]);
    expect(found.report.metadataLeftOut).toMatchObject([
      { field: 'n', records: 4, at: 'a.jsonl:1', why: expect.stringMatching(/nested/) as string },
    ]);
    const strict = await readLines({ ...options, strictMetadata: true }, ...records);
    expect([strict.ids, strict.reasons.length, strict.problems]).toEqual([[], 4, []]);
  });

  test('declared types hold for JSON too; a number kept as text keeps its digits; a path within twice is told', async () => {
    const options = { metadataFields: parseMetadataFields('year:number,big:text,when:date,a.b') };
    const found = await readLines(
      options,
      '{"id":"1","text":"x","year":"2009","big":12345678901234567890,"when":"2024-01-31","a":{"b":1,"b":2}}',
      { id: '2', text: 'x', year: 'soon', big: true, when: 3 },
    );
    expect(found.metadata).toEqual([
      { year: 2009, big: '12345678901234567890', when: '2024-01-31' },
      { big: 'true' },
    ]);
    expect(found.report.metadataLeftOut.map(({ field }) => field)).toEqual(['a.b', 'year', 'when']);
  });
});

describe('13.19 texts', () => {
  test('from several fields, a blank line between; from a path', async () => {
    const found = await readLines(
      { textFields: ['subject', 'message.content'] },
      { id: '1', subject: 'Hello', message: { content: 'Dear all,' } },
      { id: '2', message: { content: 'No subject' } },
      { id: '3', subject: ' ', message: { content: 'Blank' } },
      { id: '4' },
    );
    expect(found.texts).toEqual(['Hello\n\nDear all,', 'No subject', 'Blank']);
    expect(found.reasons).toEqual([
      expect.stringMatching(
        /none of the fields "subject", "message.content" is there; it has "id" \(--text-field\)/,
      ),
    ]);
  });

  test('one folder with two exports is one corpus: fields by source, and a file of two sources is read once', async () => {
    const cwd = await folderWith({
      'd/posts.jsonl': jsonl({ key: 'p', body: 'A post.' }),
      'd/users.csv': 'id;bio\nu;A user.\n',
      'd/more.jsonl': jsonl({ id: 'm', text: 'More.' }),
    });
    const found = await readCorpus(cwd, {
      sources: [
        { path: 'd/posts.jsonl', idFields: ['key'], textFields: ['body'] },
        { path: 'd/*.csv', textFields: ['bio'] },
        'd',
      ],
    });
    expect([found.texts, found.reasons]).toEqual([['A post.', 'A user.', 'More.'], []]);
  });
});

describe('13.15 metadata beside a text', () => {
  test('is that of a .json that has the fields; an unrelated one costs nothing', async () => {
    const cwd = await folderWith({
      'a.md': 'A',
      'a.json': '{"year":1}',
      'b.md': 'B',
      'b.json': '["a list"]',
      'c.md': 'C',
      'c.json': '// comments\n{}',
      'package.md': 'P',
      'package.json': '{"name":"p"}',
      'lone.json': '{}',
    });
    const metadataFields = parseMetadataFields('year');
    const found = await readCorpus(cwd, { metadataFields });
    expect([found.ids, found.metadata]).toEqual([
      ['a.md', 'b.md', 'c.md', 'package.md'],
      [{ year: 1 }, {}, {}, {}],
    ]);
    expect(found.report.metadataLeftOut).toMatchObject([{ records: 1, at: 'c.md' }]);
    expect(found.report.ignored.byEnding).toEqual({ '.json': 1 });
    expect((await readCorpus(cwd, { metadataFields, sidecars: false })).metadata[0]).toEqual({});
  });
});

describe('13.10 a record that lacks what is in use says what it has', () => {
  test.each([
    [
      'an id',
      '{"_id":"a","text":"x"}',
      /no id: field "id" is missing or empty; it has "_id", "text" \(--id-field/,
    ],
    ['an id that is empty', '{"id":"","text":"x"}', /no id: .*; it has "text" \(/],
    [
      'a text',
      '{"id":"a","body":"x","n":null}',
      /no text: field "text" is missing; it has "id", "body" \(--text-field\)/,
    ],
  ])('%s', async (_, line, reason) => {
    const found = await readCorpus(await folderWith({ 'a.jsonl': `${line}\n` }));
    expect(found.reasons).toEqual([expect.stringMatching(reason)]);
  });
});

describe('13.8 JSON that is not JSON lines names the way there', () => {
  test.each([
    ['an array on one line', '[{"id":"a","text":"x"}]', [/jq -c '\.\[\]'/]],
    [
      'an array over lines',
      '[\n{"id":"a","text":"x"},\n]',
      [/jq -c '\.\[\]'/, /jq -c '\.\[\]'/, /jq -c '\.\[\]'/],
    ],
    ['an object over lines', '{\n  "id": "a"\n}', [/jq -c \./, /jq -c \./, /jq -c \./]],
    ["Python's NaN", '{"id":"a","text":"x","n":NaN}', [/no NaN/]],
    ['something else', "{'id':'a'}", [/not JSON: [^(]*(?:\([^)]*column[^)]*\))?$/]],
  ])('%s', async (_, content, reasons) => {
    const found = await readCorpus(await folderWith({ 'a.jsonl': `${content}\n` }));
    expect(found.reasons).toEqual(reasons.map((reason) => expect.stringMatching(reason) as string));
  });
});

test('13.12 two metadata fields made of one are counted apart; an id that is too long names the way on', async () => {
  const records = jsonl(
    { id: 'a', text: 'x', v: 'one' },
    { id: 'b', text: 'x', v: 2 },
    { id: 'c'.repeat(1025) },
  );
  const found = await readCorpus(await folderWith({ 'a.jsonl': records }), {
    metadataFields: parseMetadataFields('v:number,flag=v:boolean'),
  });
  expect(found.report.metadataLeftOut.map(({ field, records: count }) => [field, count])).toEqual([
    ['v', 1],
    ['flag=v', 2],
  ]);
  expect(found.reasons).toEqual([expect.stringMatching(/longer than 1,024 bytes .*--id-from hash/)]);
});

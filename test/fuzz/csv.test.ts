import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readCsv } from '../../apps/producer/src/readers/csv-reader.ts';
import { blockSize, hostileText, invalidUtf8, seeded } from '../support/hostile.ts';
import { collect, inBlocks, RECORD_OPTIONS } from '../support/read-items.ts';

/** Not ours, and without the header: the rows of the bytes, or null when they are no CSV. */
function rowsByLibrary(bytes: Buffer): Buffer[][] | null {
  try {
    return parse(bytes, {
      bom: false,
      encoding: null,
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as Buffer[][];
  } catch {
    return null;
  }
}

const options = { ...RECORD_OPTIONS, csv: { delimiter: ',', quote: '"', header: true } };
const isUtf8 = (field: Buffer) => Buffer.from(field.toString('utf8')).equals(field);

const token = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(
      'a',
      ',',
      ',',
      '\n',
      '\r\n',
      '\r',
      '"',
      '""',
      '"b"',
      '"c\nd"',
      'id',
      ' ',
      '\n\n',
      '"\r"',
    ),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      'x,y\n',
      'x,"y ""z"""\r\n',
      'one\n',
      'x,y,z\n',
      '","',
      ',,\n',
      '"x","\r\n\r\n"\r',
    ),
  },
  { weight: 2, arbitrary: hostileText },
);
const soup = fc
  .array(
    fc.oneof(
      { weight: 15, arbitrary: token.map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: invalidUtf8 },
    ),
    {
      maxLength: 20,
    },
  )
  .map((parts) => Buffer.concat(parts));
const header = fc.constantFrom(
  'id,text\n',
  '\uFEFFid,text\r\n',
  '"id","text"\r',
  'text,id,other,other\n',
  ' id ,text,kept\n',
  '\uFEFF"id",text\n',
  'id,text,__proto__,constructor\n',
);

test('rows of CSV are those that another parser finds, each a document or a reject, 2,500 cases', async () => {
  const property = fc.asyncProperty(header, soup, blockSize, async (names, rest, size) => {
    const bytes = Buffer.concat([Buffer.from(names), rest]);
    const unmarked = Buffer.from(names.replace('\uFEFF', ''));
    const found = await collect(readCsv(inBlocks(bytes, size), 'f.csv', ',', options));
    const { documents, rejects, problem } = found;
    const lines = [...documents, ...rejects].map(({ origin }) => origin?.line);
    expect(new Set(lines).size).toBe(lines.length);
    expect(rejects.every(({ reason, origin }) => reason !== '' && origin?.file === 'f.csv')).toBe(true);
    // What the library lets pass: it takes a NUL behind a closing quote for the end of the data.
    if (bytes.includes('"\0')) return;
    // A byte order mark before a row is no part of it here; the library takes it for text.
    if (/[\r\n]\uFEFF/.test(bytes.toString('utf8'))) return;
    const rows = rowsByLibrary(Buffer.concat([unmarked, rest]));
    if (rows === null) {
      if (problem !== null) expect(problem).toMatch(/^not CSV from line \d+ on: /);
      return;
    }
    expect(problem).toBeNull();
    const [first = [], ...below] = rows;
    const others = below.filter((row) => row.some((field) => /[^ \t\r\n]/.test(field.toString('latin1'))));
    expect(documents.length + rejects.length).toBe(others.length);
    const columns = first.map((name) => name.toString('utf8').trim());
    const [id, text] = [columns.indexOf('id'), columns.indexOf('text')];
    const good = others.filter(
      (row) =>
        row.slice(0, columns.length).every(isUtf8) &&
        row.slice(columns.length).every((field) => field.toString('utf8').trim() === '') &&
        row[text] !== undefined &&
        row[id] !== undefined &&
        row[id].length !== 0 &&
        !row[id].includes(0) &&
        row[id].length <= 1024,
    );
    expect(documents.map((document) => [document.id, document.text])).toEqual(
      good.map((row) => [id, text].map((column) => row[column]?.toString('utf8') ?? '')),
    );
  });
  await fc.assert(property, seeded(2500));
});

const quoted = (field: string) => `"${field.replaceAll('"', '""')}"`;
const cell = fc
  .tuple(hostileText, fc.constantFrom('', '\n', '\r\n', '\r', '"'))
  .map(([text, inner]) => `x${inner}${text}y`);

test('what was written as CSV is read as it was, with the line it began on, 500 cases', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.tuple(cell, cell), { maxLength: 8 }),
    fc.constantFrom('\n', '\r\n', '\r'),
    fc.constantFrom<',' | '\t'>(',', '\t'),
    blockSize,
    async (cells, end, delimiter, size) => {
      const rows = cells.map(([text, other], index) => [`${index}`, text, other].map(quoted).join(delimiter));
      const written = [['id', 'text', 'other'].join(delimiter), ...rows].join(end);
      const { documents, rejects, problem } = await collect(
        readCsv(inBlocks(Buffer.from(written), size), 'f.csv', delimiter, {
          ...options,
          csv: { quote: '"', header: true },
        }),
      );
      expect({ rejects, problem }).toEqual({ rejects: [], problem: null });
      let line = 2;
      const expected = cells.map(([text, other], index) => {
        const began = line;
        line += (`${text}${other}`.match(/\r\n|\r|\n/g)?.length ?? 0) + 1;
        return { id: `${index}`, text, line: began };
      });
      expect(documents.map(({ id, text, origin }) => ({ id, text, line: origin.line }))).toEqual(expected);
    },
  );
  await fc.assert(property, seeded(500));
});

test('a header that is not UTF-8 or names a column in use twice is refused as a whole; wrong quotes cost a row while the next can be told', async () => {
  const read = (written: string | Buffer) =>
    collect(readCsv(inBlocks(Buffer.from(written), 7), 'f.csv', ',', RECORD_OPTIONS));
  expect((await read('id,text,id\na,b,c\n')).problem).toMatch(/^the header has two columns "id"/);
  expect((await read(Buffer.from('69642cff0a', 'hex'))).problem).toMatch(
    /^the header cannot be read: not UTF-8/,
  );
  expect((await read('id,text,x,x\na,b,c,d\n')).documents).toHaveLength(1);
  const junk = await read('id,text\na,b\nc,d\ne,"f"g\nh,i\n');
  expect(junk.documents.map(({ id }) => id)).toEqual(['a', 'c', 'h']);
  expect(junk.rejects).toMatchObject([
    {
      origin: { line: 4 },
      reason: expect.stringMatching(/quotes are wrong: text follows a closing quote/) as string,
    },
  ]);
  const open = await read('id,text\na,b\n"c,d\n\ne,f\n');
  expect(open.documents.map(({ id }) => id)).toEqual(['a', 'e']);
  expect(open.rejects).toMatchObject([{ origin: { line: 3 } }]);
  const cut = await read('id,text\n1,b\n2,"It was late,\nand dark, and cold.\nThe end');
  expect(cut.documents.map(({ id }) => id)).toEqual(['1']);
  expect(cut.problem).toMatch(/^not CSV from line 3 on: a quote is opened and never closed/);
});

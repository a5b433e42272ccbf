import { createReadStream } from 'node:fs';
import { appendFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Corpus, type CorpusOptions } from '../../apps/producer/src/readers/corpus.ts';
import { DEFAULT_RECORD_OPTIONS, type ReadItem } from '../../apps/producer/src/readers/read-item.ts';
import { parseMetadataFields } from '../../apps/producer/src/readers/metadata-fields.ts';
import { splitLines } from '../../apps/producer/src/readers/split-lines.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function read(cwd: string, options: Partial<CorpusOptions>) {
  const corpus = new Corpus({
    sources: ['.'],
    cwd,
    stdin: Readable.from([]),
    ...DEFAULT_RECORD_OPTIONS,
    ...options,
  });
  const items: ReadItem[] = [];
  for await (const item of corpus.read()) items.push(item);
  return {
    corpus,
    documents: items.flatMap((item) => (item.type === 'document' ? [item.document] : [])),
    rejects: items.flatMap((item) => (item.type === 'reject' ? [item.deadLetter] : [])),
    bytes: items.reduce((sum, item) => sum + (item.type === 'progress' ? item.bytes : 0), 0),
  };
}

describe('lines', () => {
  test('are split at 0x0A alone, wherever the blocks end', async () => {
    const line = fc.string({
      unit: fc.constantFrom('a', 'é', '漢', '\u2028', '\r', '"', '\0'),
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 12 }),
        fc.integer({ min: 1, max: 9 }),
        async (lines, size) => {
          const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
          const blocks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
            bytes.subarray(index * size, (index + 1) * size),
          );
          const found: string[] = [];
          for await (const one of splitLines(Readable.from(blocks), 1000))
            if (one.type === 'line') found.push(one.bytes.toString('utf8'));
          expect(found).toEqual(lines.map((text) => text.replace(/\r$/, '')));
        },
      ),
    );
  });

  test('that are too long are counted, not held', async () => {
    const block = Buffer.alloc(1024 * 1024, 'x');
    const blocks = function* () {
      yield Buffer.from('short\n');
      for (let index = 0; index < 100; index += 1) yield block;
      yield Buffer.from('\nlast');
    };
    const found = [];
    const before = process.memoryUsage().arrayBuffers;
    for await (const line of splitLines(Readable.from(blocks()), 8192))
      found.push(line.type === 'line' ? line.bytes.toString() : line.length);
    expect(found).toEqual(['short', 100 * 1024 * 1024, 'last']);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('files', () => {
  test('JSONL: byte order mark, \\r\\n, blank lines, U+2028, gzip', async () => {
    const cwd = await temporaryDirectory();
    const content = '\uFEFF{"id":"a","text":"one\u2028two"}\r\n\r\n{"id":"b","text":"x","title":"T"}';
    await writeFile(join(cwd, 'a.jsonl'), content);
    await writeFile(
      join(cwd, 'b.jsonl.gz'),
      gzipSync(content.replaceAll('"a"', '"c"').replaceAll('"b"', '"d"')),
    );
    const { documents, rejects, corpus } = await read(cwd, {});
    expect(documents.map(({ id, text, title, origin }) => [id, text, title, origin.line])).toEqual([
      ['a', 'one\u2028two', null, 1],
      ['b', 'x', 'T', 3],
      ['c', 'one\u2028two', null, 1],
      ['d', 'x', 'T', 3],
    ]);
    expect(rejects).toEqual([]);
    expect(corpus.problems).toEqual([]);
  });

  test('progress adds up to the bytes of the survey', async () => {
    const cwd = await temporaryDirectory();
    await writeFile(join(cwd, 'a.jsonl'), '{"id":"a","text":"x"}\n');
    await writeFile(join(cwd, 'b.txt'), 'A text.');
    const { corpus, bytes } = await read(cwd, {});
    expect(await corpus.survey()).toEqual({ files: 2, bytes });
  });

  test('CSV: quotes, embedded newlines; values are texts; a short row is told, a long one costs itself', async () => {
    const cwd = await temporaryDirectory();
    await writeFile(
      join(cwd, 'a.csv'),
      '\uFEFFid,text,year\n1,"two\nlines, ""quoted""",2009\nragged,row\nlast,007,07\nlong,x,1,2\n',
    );
    const { documents, rejects, corpus } = await read(cwd, { metadataFields: parseMetadataFields('year') });
    expect(documents.map(({ id, text, metadata }) => ({ id, text, ...metadata }))).toEqual([
      { id: '1', text: 'two\nlines, "quoted"', year: '2009' },
      { id: 'ragged', text: 'row' },
      { id: 'last', text: '007', year: '07' },
    ]);
    expect(corpus.report.shortRows).toEqual({ rows: 1, at: 'a.csv:4' });
    expect(rejects).toMatchObject([
      { reason: expect.stringMatching(/^the row has 4 columns, the header 3/) as string },
    ]);
  });

  test('Markdown: front matter and titles; a sidecar that is broken costs its document when metadata is strict', async () => {
    const cwd = await temporaryDirectory();
    await writeFile(join(cwd, 'a.md'), '---\ntitle: "The title"\n---\n# Head\n\nText.');
    await writeFile(join(cwd, 'b.md'), '# Head\n\nText.');
    await writeFile(join(cwd, 'c.txt'), 'Text.');
    await writeFile(join(cwd, 'c.json'), '{broken');
    const metadataFields = parseMetadataFields('year');
    expect((await read(cwd, { metadataFields })).documents).toHaveLength(3);
    const { documents, rejects } = await read(cwd, { metadataFields, strictMetadata: true });
    expect(documents.map(({ id, title }) => [id, title])).toEqual([
      ['a.md', 'The title'],
      // The chunker finds it, where the structure is.
      ['b.md', null],
    ]);
    expect(rejects).toMatchObject([
      { documentId: 'c.txt', reason: expect.stringMatching(/c\.json is not JSON/) as string },
    ]);
  });

  test('a decompression bomb and a cut gzip cost that file, and the reading is incomplete; a link is told', async () => {
    const cwd = await temporaryDirectory();
    await mkdir(join(cwd, 'in'));
    await writeFile(join(cwd, 'in', 'bomb.jsonl.gz'), gzipSync(Buffer.alloc(20_000_000, ' ')));
    await writeFile(join(cwd, 'in', 'cut.jsonl.gz'), gzipSync('{"id":"a","text":"b"}\n').subarray(0, 25));
    await writeFile(join(cwd, 'secret.txt'), 'secret');
    await symlink(join(cwd, 'secret.txt'), join(cwd, 'in', 'link.txt'));
    await writeFile(join(cwd, 'in', 'with\nnewline.txt'), 'Good.');
    const { documents, rejects, corpus } = await read(cwd, { sources: ['in'] });
    expect(documents.map(({ id }) => id)).toEqual(['with\nnewline.txt']);
    expect(rejects.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/more than 200 times its size/),
      expect.stringMatching(/not a complete gzip file/),
    ]);
    expect(corpus.problemCount).toBe(2);
    expect(corpus.report.links.sample).toEqual([
      { path: 'in/link.txt', why: 'it leads to a file (--follow-links)' },
    ]);
  });

  test('a file that grows while it is read makes the reading incomplete', async () => {
    const cwd = await temporaryDirectory();
    const file = join(cwd, 'a.jsonl');
    await writeFile(file, '{"id":"a","text":"x"}\n'.repeat(40_000));
    const corpus = new Corpus({
      sources: [file],
      cwd,
      stdin: Readable.from([]),
      ...DEFAULT_RECORD_OPTIONS,
    });
    let count = 0;
    for await (const item of corpus.read()) {
      if (item.type === 'document' && (count += 1) === 1) await appendFile(file, '{"id":"b","text":"y"}\n');
    }
    expect(corpus.problems).toEqual([expect.stringMatching(/changed while it was read/)]);
  });

  test('standard input, and reading that is stopped', async () => {
    const cwd = await temporaryDirectory();
    await writeFile(join(cwd, 'in.csv'), 'id,text\na,b\n');
    const { documents } = await read(cwd, {
      sources: ['-'],
      format: 'csv',
      stdin: createReadStream(join(cwd, 'in.csv')),
    });
    expect(documents).toMatchObject([{ id: 'a', text: 'b' }]);
    const corpus = new Corpus({
      sources: ['in.csv'],
      cwd,
      stdin: Readable.from([]),
      ...DEFAULT_RECORD_OPTIONS,
    });
    await expect(corpus.read(AbortSignal.abort(new Error('enough'))).next()).rejects.toThrow('enough');
  });
});

test('metadata fields are named, renamed, and never reach into a prototype', async () => {
  expect(parseMetadataFields('year, president=name')).toEqual([
    { name: 'year', from: 'year' },
    { name: 'president', from: 'name' },
  ]);
  expect(() => parseMetadataFields('__proto__=x')).toThrow(RangeError);
  const cwd = await temporaryDirectory();
  await writeFile(
    join(cwd, 'a.jsonl'),
    '{"id":"a","text":"b","__proto__":{"polluted":1},"list":["x",1],"big":1e999}\n',
  );
  const { documents } = await read(cwd, {
    metadataFields: parseMetadataFields('list,absent,polluted,toString'),
  });
  expect({ ...documents[0]?.metadata }).toEqual({ list: ['x', 1] });
  const { rejects } = await read(cwd, { metadataFields: parseMetadataFields('big'), strictMetadata: true });
  expect(rejects).toMatchObject([{ reason: 'field "big": it is not a finite number (--strict-metadata)' }]);
});

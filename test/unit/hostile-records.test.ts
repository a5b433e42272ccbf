import { describe, expect, onTestFinished, test } from 'vitest';
import { readCsv } from '../../apps/producer/src/readers/csv-reader.ts';
import { readJsonl } from '../../apps/producer/src/readers/jsonl-reader.ts';
import { DEFAULT_READ_LIMITS } from '../../apps/producer/src/readers/read-item.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { nested } from '../support/hostile.ts';
import { chunkOf, MANIFEST, vectorOf } from '../support/points.ts';
import { collect, inBlocks, RECORD_OPTIONS } from '../support/read-items.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const readLine = (line: string) =>
  collect(
    readJsonl(inBlocks(Buffer.from(line), 100), 'f', {
      ...RECORD_OPTIONS,
      limits: DEFAULT_READ_LIMITS,
      strictMetadata: true,
    }),
  );

const MEBIBYTE = 1024 * 1024;

describe('half a gigabyte without a line break is counted, not held', () => {
  /** Each block in memory of its own, so that to hold them would be seen. */
  const longLine = async function* (first: string, fill: string, last: string, seen: { most: number }) {
    yield Buffer.from(first);
    for (let index = 0; index < 512; index += 1) {
      yield Buffer.alloc(MEBIBYTE, fill);
      seen.most = Math.max(seen.most, process.memoryUsage().arrayBuffers);
    }
    yield Buffer.from(last);
  };
  const options = { ...RECORD_OPTIONS, limits: DEFAULT_READ_LIMITS };
  const bytes = 512 * MEBIBYTE;

  test.each([
    ['JSONL', '{"id":"a","text":"b"}\n', 'x', '\n{"id":"c","text":"d"}\n', bytes],
    ['CSV in quotes', 'id,text\na,b\n"', 'x', '"\nc,d\n', bytes + 2],
    ['CSV of columns', 'id,text\na,b\n', ',', '\nc,d\n', bytes],
  ])('%s', async (kind, first, fill, last, length) => {
    const seen = { most: 0 };
    const blocks = longLine(first, fill, last, seen);
    const { documents, rejects } = await collect(
      kind === 'JSONL' ? readJsonl(blocks, 'f', options) : readCsv(blocks, 'f', ',', options),
    );
    expect(documents.map(({ id }) => id)).toEqual(['a', 'c']);
    expect(rejects).toMatchObject([
      { reason: expect.stringContaining(`is ${length} bytes long, more than the 8388608 allowed`) as string },
    ]);
    expect(seen.most).toBeLessThan(400 * MEBIBYTE);
  });
});

describe('JSON that says two things', () => {
  test('a field in use that is there twice, with different values, is refused by name', async () => {
    const id = await readLine('{"id":"a","text":"x","\\u0069d":"b"}');
    expect(id.rejects).toMatchObject([
      { documentId: null, reason: 'field "id" is there twice, with different values' },
    ]);
    const text = await readLine('{"id":"a","text":"x","text":"y"}');
    expect(text.rejects).toMatchObject([
      { documentId: 'a', reason: expect.stringContaining('"text"') as string },
    ]);
    const kept = await readLine('{"id":"a","text":"x","kept":[1],"kept":[1, 2]}');
    expect(kept.rejects).toMatchObject([{ reason: expect.stringContaining('"kept"') as string }]);
  });

  test('twice the same value is no doubt, nor is a field that is not in use, nor one further inside', async () => {
    const { documents } = await readLine(
      '{"id":"a","id":"\\u0061","text":"x","other":1,"other":2,"in":{"text":"y","id":[{"id":"}"}]}}',
    );
    expect(documents).toMatchObject([{ id: 'a', text: 'x' }]);
  });

  test.each([
    ['9007199254740993', true],
    ['-9007199254740993', true],
    ['[1,"a",9007199254740993]', true],
    ['12345678901234567890', true],
    ['9.007199254740993e15', true],
    ['9007199254740993.5', true],
    ['9007199254740992', false],
    ['1e300', false],
    ['1.50E+2', false],
    ['0.1000000000000000055511151231257827', false],
    ['"9007199254740993"', false],
    ['["9007199254740993"]', false],
  ])('a kept number that would lose digits is refused by name: %s', async (number, refused) => {
    const { documents, rejects } = await readLine(
      `{"id":"a","text":"x","other":9007199254740993,"kept":${number}}`,
    );
    expect(
      rejects.map(({ documentId, reason }) => [
        documentId,
        /^field "kept": it holds -?\d.*lose digits/.test(reason),
      ]),
    ).toEqual(refused ? [['a', true]] : []);
    if (!refused) expect(documents.map(({ metadata }) => metadata['kept'])).toEqual([JSON.parse(number)]);
  });

  test('nesting of a million levels is skipped, or refused by name', async () => {
    const deep = nested('[', ']', 1_000_000);
    expect((await readLine(`{"id":"a","text":"x","other":${deep}}`)).documents).toHaveLength(1);
    expect((await readLine(`{"id":"a","text":"x","kept":${deep}}`)).rejects).toMatchObject([
      { documentId: 'a', reason: expect.stringMatching(/"kept": it is nested/) as string },
    ]);
    expect((await readLine('{"a":'.repeat(1_000_000))).rejects).toMatchObject([
      { reason: expect.stringMatching(/^not JSON/) as string },
    ]);
  });
});

test('NUL characters: an id with one is refused by name, texts and titles and metadata come back as they were', async () => {
  const { documents, rejects } = await readLine(
    '{"id":"a\\u0000","text":"x"}\n{"id":"a","text":"b\\u0000c","title":"\\u0000t","kept":"\\u0000"}\n',
  );
  expect(rejects).toMatchObject([
    { reason: expect.stringMatching(/^the id holds .* a NUL character$/) as string },
  ]);
  const [document] = documents;
  expect(document).toMatchObject({ text: 'b\0c', title: '\0t', metadata: { kept: '\0' } });
  const store = await openSqliteStore({ directory: await temporaryDirectory() });
  onTestFinished(() => store.close());
  const points = await store.open(await store.createGeneration('docs', MANIFEST));
  const chunk = chunkOf('a', document?.text ?? '', { title: '\0t', metadata: { kept: '\0' } });
  await points.upsert([{ chunk, vector: vectorOf('v') }], { runSequence: 1 });
  expect((await points.retrieve([chunk.id])).get(chunk.id)?.chunk).toEqual(chunk);
  await points.close();
});

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { storedPoints } from '../support/stored.ts';

const long = (sentences: number) =>
  Array.from({ length: sentences }, (_, index) => `Sentence ${index} tells of the number ${index * 7}.`).join(
    ' ',
  );
const RECORDS = [
  { id: 'long', text: long(90) },
  ...Array.from({ length: 5 }, (_, index) => ({ id: `d${index}`, text: `A text about number ${index}.` })),
];

async function ingested(): Promise<TestBench> {
  const bench = await testBench();
  await ingest(bench, RECORDS);
  return bench;
}

async function ingest(bench: TestBench, records: readonly object[], ...more: string[]) {
  const file = join(bench.directory, 'docs.jsonl');
  await writeFile(file, jsonl(records));
  return bench.run(['ingest', file, '--collection', 'docs', '--workers', '1', '--json', ...more]);
}

async function documentsOf(bench: TestBench): Promise<string[]> {
  const points = await storedPoints(bench.directory, 'docs');
  return [...new Set([...points.values()].map(({ chunk }) => chunk.documentId))].sort();
}

describe('ingest --partial', () => {
  test('writes the documents that it is given, cuts off their old ends, and deletes no others', async () => {
    const bench = await ingested();
    const before = (await storedPoints(bench.directory, 'docs')).size;
    const result = await ingest(
      bench,
      [
        { id: 'long', text: long(3) },
        { id: 'new', text: 'New.' },
      ],
      '--partial',
    );
    expect(result.json.at(-1)).toMatchObject({
      documents: { read: 2, new: 1, changed: 1, removed: 0 },
      chunks: { embedded: 2, removed: before - 6 },
    });
    expect(await documentsOf(bench)).toEqual(['d0', 'd1', 'd2', 'd3', 'd4', 'long', 'new']);
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(7);
  });

  test('is refused where a new generation would have to be built of it', async () => {
    const bench = await ingested();
    const result = await ingest(bench, [{ id: 'new', text: 'New.' }], '--partial', '--chunk-tokens', '64');
    expect(result).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/a part of the corpus\s+is not enough/),
    });
    expect((await documentsOf(bench)).length).toBe(6);
  });

  test('of a file in a folder finds its document again, told the root of the corpus', async () => {
    const bench = await testBench();
    const guide = join(bench.directory, 'corpus', 'sub', 'guide.txt');
    await mkdir(dirname(guide), { recursive: true });
    await writeFile(guide, 'A guide.');
    const run = (...args: string[]) =>
      bench.run(['ingest', ...args, '--collection', 'docs', '--workers', '1', '--json']);
    expect(await run('corpus')).toMatchObject({ code: 0 });
    await writeFile(guide, 'A guide, edited.');
    const result = await run('corpus/sub/guide.txt', '--root', 'corpus', '--partial');
    expect(result.json.at(-1)).toMatchObject({ documents: { read: 1, new: 0, changed: 1 } });
    expect(await documentsOf(bench)).toEqual(['sub/guide.txt']);
    expect(await run('corpus', '--root', 'corpus/sub')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/corpus does not lie below the root corpus\/sub/),
    });
  });
});

describe('delete', () => {
  test('takes every point of the documents, and says which were not there', async () => {
    const bench = await ingested();
    const args = ['delete', '--collection', 'docs', '--id', 'long', 'nowhere', '--ids-from', '-', '--json'];
    const { code, json } = await bench.run(args, 'd1\nd2\n');
    expect(code).toBe(0);
    expect(json).toMatchObject([{ type: 'deleted', documents: 3, notFound: ['nowhere'] }]);
    expect(json[0]?.['chunks']).toBeGreaterThan(5);
    expect(await documentsOf(bench)).toEqual(['d0', 'd3', 'd4']);
    const again = await bench.run(['delete', '--collection', 'docs', '--id', 'long']);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('Deleted 0 documents') });
    expect(again.stderr).toContain('Not there: "long"');
  });

  test('what is still in the corpus comes back with the next ingest', async () => {
    const bench = await ingested();
    await bench.run(['delete', '--collection', 'docs', '--id', 'd1']);
    expect((await ingest(bench, RECORDS)).json.at(-1)).toMatchObject({
      documents: { new: 1 },
      chunks: { embedded: 1 },
    });
    expect(await documentsOf(bench)).toContain('d1');
  });

  test('refuses a collection that is not there, and an empty list', async () => {
    const bench = await testBench();
    expect(await bench.run(['delete', '--collection', 'no', '--id', 'a'])).toMatchObject({ code: 1 });
    const nothing = await bench.run(['delete', '--collection', 'no']);
    expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining('Nothing to delete') });
  });
});

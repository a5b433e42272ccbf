import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { jsonl, testBench } from '../support/cli.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { servedBench, type ServedBench } from '../support/served-bench.ts';
import { comparable, storedPoints } from '../support/stored.ts';

const ingestJson = (bench: ServedBench, ...args: string[]) =>
  bench.command(['ingest', ...args, '--collection', 'docs', '--json']);
const summaryOf = (result: { json: readonly Record<string, unknown>[] }) => result.json.at(-1);

test('a record from standard input is found by a search', async () => {
  const bench = await testBench();
  const ingested = await bench.run(
    ['ingest', '-', '--collection', 't', '--workers', '1'],
    '{"id":"a","text":"hello world"}\n',
  );
  expect(ingested).toMatchObject({ code: 0, stdout: expect.stringContaining('1 embedded') });
  const { json } = await bench.run(['search', 'hello', '--collection', 't', '--json']);
  expect(json).toMatchObject([{ documentId: 'a', chunkIndex: 0, text: 'hello world', metadata: {} }]);
  const people = await bench.run(['search', 'hello', '--collection', 't']);
  expect(people.stdout).toContain('characters 0-11, chunk 0');
});

describe('convergence', () => {
  test('unchanged is skipped; edits, new metadata, new, shortened and vanished documents cost only the difference', async () => {
    const bench = await servedBench();
    const file = join(bench.directory, 'docs.jsonl');
    const long = Array.from(
      { length: 60 },
      (_, index) => `Paragraph ${index} tells a story about the number ${index * 7}.`,
    ).join('\n\n');
    const records = Array.from({ length: 8 }, (_, index) => ({
      id: `d${index}`,
      text: `A short text number ${index}.`,
      year: 2000 + index,
    }));
    await writeFile(file, jsonl([...records, { id: 'long', text: long, year: 1 }]));
    const first = summaryOf(await ingestJson(bench, file, '--metadata-fields', 'year'));
    expect(first).toMatchObject({
      type: 'summary',
      state: 'done',
      documents: { read: 9, new: 9 },
      deadLetters: 0,
    });
    const { total } = z.object({ total: z.number() }).parse(first?.['chunks']);
    expect(total).toBeGreaterThan(9);

    const again = summaryOf(await ingestJson(bench, file, '--metadata-fields', 'year'));
    expect(again).toMatchObject({
      documents: { unchanged: 9 },
      chunks: { total, embedded: 0, skipped: total, payloadUpdated: 0, removed: 0 },
      tokens: 0,
    });

    const [d0, d1, , ...others] = records;
    const edited = [
      { ...d0, text: 'Now it is another text.' },
      { ...d1, year: 1999 },
      ...others,
      { id: 'new', text: 'Brand new.', year: 3 },
      { id: 'long', text: long.slice(0, 200), year: 1 },
    ];
    await writeFile(file, jsonl(edited));
    const third = summaryOf(await ingestJson(bench, file, '--metadata-fields', 'year', '--max-delete', '90'));
    expect(third).toMatchObject({
      documents: { read: 9, new: 1, changed: 3, unchanged: 5, removed: 1 },
      chunks: { embedded: 3, payloadUpdated: 1, removed: 1 + total - 9 },
    });

    const fresh = await servedBench();
    await fresh.command(['ingest', file, '--collection', 'docs', '--metadata-fields', 'year']);
    expect(comparable(await storedPoints(bench.directory, 'docs'))).toEqual(
      comparable(await storedPoints(fresh.directory, 'docs')),
    );
  });

  test('a text that moved takes its vector along instead of being embedded again', async () => {
    const bench = await servedBench();
    const file = join(bench.directory, 'docs.jsonl');
    await writeFile(
      file,
      jsonl([
        { id: 'a', text: 'A text that will move.' },
        { id: 'b', text: 'Another one that stays.' },
      ]),
    );
    await ingestJson(bench, file);
    await writeFile(
      file,
      jsonl([
        { id: 'c', text: 'A text that will move.' },
        { id: 'b', text: 'Another one that stays.' },
      ]),
    );
    expect(summaryOf(await ingestJson(bench, file, '--max-delete', '100'))).toMatchObject({
      chunks: { embedded: 0, reused: 1, skipped: 1, removed: 1 },
    });
  });

  test('a mass deletion is withheld, and approved by a flag', async () => {
    const bench = await servedBench();
    const file = join(bench.directory, 'docs.jsonl');
    const records = Array.from({ length: 10 }, (_, index) => ({
      id: `d${index}`,
      text: `Text number ${index}.`,
    }));
    await writeFile(file, jsonl(records));
    await ingestJson(bench, file);
    await writeFile(file, jsonl(records.slice(0, 5)));
    const withheld = await ingestJson(bench, file);
    expect(withheld.code).toBe(1);
    expect(withheld.stderr).toMatch(/5 of the 10 points.*--max-delete 50%/s);
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(10);
    expect(summaryOf(await ingestJson(bench, file, '--max-delete', '50%'))).toMatchObject({
      documents: { removed: 5 },
    });
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(5);
  });

  test('nothing is deleted when a record cannot be read, whose id cannot be told', async () => {
    const bench = await servedBench();
    const file = join(bench.directory, 'docs.jsonl');
    await writeFile(
      file,
      jsonl([
        { id: 'a', text: 'One.' },
        { id: 'b', text: 'Two.' },
      ]),
    );
    await ingestJson(bench, file);
    await writeFile(file, `${jsonl([{ id: 'a', text: 'One.' }])}{"id":"b","text":\n`);
    const result = await ingestJson(bench, file, '--max-delete', '100');
    expect(result.code).toBe(3);
    expect(result.stderr).toMatch(/Nothing was deleted.*docs\.jsonl:2/s);
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(2);
    await ingestJson(bench, file, '--max-delete', '100', '--sweep-incomplete');
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(1);
  });

  test('another chunking builds a new generation, and rollback goes back', async () => {
    const bench = await servedBench();
    const file = join(bench.directory, 'docs.jsonl');
    await writeFile(
      file,
      jsonl([
        {
          id: 'a',
          text: Array.from({ length: 40 }, (_, index) => `Sentence number ${index} is here.`).join(' '),
        },
      ]),
    );
    await ingestJson(bench, file);
    const before = comparable(await storedPoints(bench.directory, 'docs'));
    expect(summaryOf(await ingestJson(bench, file, '--chunk-tokens', '64'))).toMatchObject({
      state: 'done',
      documents: { new: 1 },
    });
    const { json } = await bench.command(['collections', 'list', '--json']);
    expect(json).toMatchObject([
      { name: 'docs', live: false },
      { name: 'docs', live: true },
    ]);
    expect((await bench.command(['collections', 'rollback', 'docs'])).code).toBe(0);
    expect(comparable(await storedPoints(bench.directory, 'docs'))).toEqual(before);
    expect((await bench.command(['collections', 'drop', 'docs', '--yes'])).code).toBe(0);
    expect((await bench.command(['search', 'x', '--collection', 'docs'])).stderr).toContain(
      'There is no collection "docs"',
    );
  });
});

test('Qdrant gets the same ids and vectors as the embedded store', async () => {
  const double = await startQdrantDouble();
  onTestFinished(() => double.close());
  const [sqlite, qdrant] = [await servedBench(), await servedBench({ QDRANT_URL: double.url })];
  const input = jsonl([
    { id: 'a', text: 'hello world' },
    { id: 'b', text: 'good bye', year: 2009 },
  ]);
  for (const bench of [sqlite, qdrant]) {
    const result = await bench.command(
      ['ingest', '-', '--collection', 'docs', '--metadata-fields', 'year'],
      input,
    );
    expect(result.code).toBe(0);
  }
  const expected = await storedPoints(sqlite.directory, 'docs');
  const collection = double.state.collections.get(double.state.aliases.get('docs') ?? '');
  const found = collection?.retrieve([...expected.keys()], true, true) as {
    id: string;
    vector: { dense: number[] };
  }[];
  expect(found.map(({ id }) => id).sort()).toEqual([...expected.keys()].sort());
  for (const { id, vector } of found) {
    const difference = vector.dense.map((value, index) =>
      Math.abs(value - (expected.get(id)?.vector[index] ?? NaN)),
    );
    expect(Math.max(...difference)).toBeLessThan(1e-5);
  }
  const { json } = await qdrant.command([
    'search',
    'bye',
    '--collection',
    'docs',
    '--json',
    '--filter',
    'year=2009',
  ]);
  expect(json).toMatchObject([{ documentId: 'b' }]);
});

test('two workers give exactly the points that one gives', async () => {
  const [one, two] = [await testBench(), await testBench()];
  const words = [
    'river',
    'mountain',
    'engine',
    'violin',
    'harbour',
    'planet',
    'copper',
    'window',
    'garden',
    'thunder',
  ];
  const records = Array.from({ length: 600 }, (_, index) => ({
    id: `doc-${index}`,
    text: `The ${words[index % 10]} and the ${words[Math.floor(index / 10) % 10]} met ${words[Math.floor(index / 100) % 10]} number ${index}.`,
  }));
  const input = jsonl(records);
  await one.run(['ingest', '-', '--collection', 'docs', '--workers', '1'], input);
  const result = await two.run(['ingest', '-', '--collection', 'docs', '--workers', '2', '--json'], input);
  expect(summaryOf(result)).toMatchObject({ chunks: { total: 600, embedded: 600 } });
  expect(comparable(await storedPoints(two.directory, 'docs'))).toEqual(
    comparable(await storedPoints(one.directory, 'docs')),
  );
});

test('files and folders: text with metadata beside it, Markdown with headings, CSV', async () => {
  const bench = await servedBench();
  const corpus = join(bench.directory, 'corpus');
  await mkdir(join(corpus, 'sub'), { recursive: true });
  await writeFile(join(corpus, 'speech.txt'), 'A speech about peace.');
  await writeFile(join(corpus, 'speech.json'), '{"year":1961,"name":"John"}');
  await writeFile(
    join(corpus, 'sub', 'guide.md'),
    '# Guide\n\nRead this first.\n\n## Install\n\nRun the installer.',
  );
  await writeFile(join(corpus, 'rows.csv'), 'id,text,year\nr1,"A row, with a comma",1999\n');
  await writeFile(join(corpus, 'ignored.bin'), 'x');
  const result = await ingestJson(bench, corpus, '--metadata-fields', 'year,president=name');
  expect(result.code).toBe(0);
  const points = [...(await storedPoints(bench.directory, 'docs')).values()].map(({ chunk }) => chunk);
  const byDocument = new Map(points.map((chunk) => [chunk.documentId, chunk]));
  expect([...byDocument.keys()].sort()).toEqual(['r1', 'speech.txt', 'sub/guide.md']);
  expect({ ...byDocument.get('speech.txt')?.metadata }).toEqual({ year: 1961, president: 'John' });
  expect({ ...byDocument.get('r1')?.metadata }).toEqual({ year: '1999' });
  // Its one chunk spans both sections, and names them.
  expect(byDocument.get('sub/guide.md')?.title).toBe('Guide > Install');
  await rm(join(corpus, 'sub'), { recursive: true });
});

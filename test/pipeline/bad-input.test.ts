import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { servedBench, sharedServedBench, type ServedBench } from '../support/served-bench.ts';
import { storedPoints } from '../support/stored.ts';

const GOOD = '{"id":"good","text":"A good record."}';

/** Ingests one bad record between two good ones, and tells what became of it. */
async function ingestBad(bench: ServedBench, bad: string | Buffer, ...args: string[]) {
  const collection = `docs-${randomUUID()}`;
  const file = join(bench.directory, `${collection}-docs.jsonl`);
  await writeFile(
    file,
    Buffer.concat([
      Buffer.from(`${GOOD}\n`),
      Buffer.from(bad),
      Buffer.from('\n{"id":"last","text":"Another one."}\n'),
    ]),
  );
  const result = await bench.command(['ingest', file, '--collection', collection, '--json', ...args]);
  const runId = String(result.json.at(-1)?.['run']);
  const failed = await bench.command(['failed', 'list', '--run', runId, '--json']);
  const stored = [...(await storedPoints(bench.directory, collection)).values()]
    .map(({ chunk }) => chunk.documentId)
    .sort();
  return { result, letters: failed.json, stored };
}

describe('one bad record costs that record, and is named', () => {
  const bench = sharedServedBench();
  const cases: [string, string | Buffer, RegExp][] = [
    ['bad JSON', '{"id":"x","text":', /not JSON/],
    ['not an object', '[1,2]', /not a JSON object/],
    ['no id', '{"text":"x"}', /no id: field "id"/],
    [
      'an id that is a number',
      '{"id":7.5,"text":"x"}',
      /the number 7.5, not a text or a whole number: put it in quotes/,
    ],
    ['no text', '{"id":"x"}', /no text: field "text"/],
    ['a text that is a list', '{"id":"x","text":["a"]}', /a list, not a text/],
    [
      'invalid UTF-8',
      Buffer.from('7b226964223a2278222c2274657874223a22ff227d', 'hex'),
      /not UTF-8 at byte 19/,
    ],
    ['half a surrogate pair', '{"id":"x","text":"\\ud800"}', /half of a surrogate pair/],
    ['a line that is too long', `{"id":"x","text":"${'y'.repeat(5000)}"}`, /the line is 5020 bytes long/],
    ['a duplicate id', '{"id":"good","text":"Again."}', /seen before, at .*docs\.jsonl:1/],
  ];
  test.each(cases)('%s', async (_, bad, reason) => {
    const { result, letters, stored } = await ingestBad(bench(), bad, '--max-line-bytes', '4096');
    expect(result, result.stderr).toMatchObject({ code: 3 });
    expect(result.json.at(-1)).toMatchObject({ type: 'summary', state: 'done', deadLetters: 1 });
    expect(letters).toMatchObject([
      { stage: 'read', reason: expect.stringMatching(reason) as string, origin: { line: 2 } },
    ]);
    expect(stored).toEqual(['good', 'last']);
  });

  test('metadata that a store cannot keep, with --strict-metadata', async () => {
    const { letters, stored } = await ingestBad(
      bench(),
      '{"id":"x","text":"y","year":{"deep":1}}',
      '--metadata-fields',
      'year',
      '--strict-metadata',
    );
    expect(letters).toMatchObject([
      { documentId: 'x', reason: expect.stringContaining('"year": it is nested') as string },
    ]);
    expect(stored).toEqual(['good', 'last']);
  });
});

describe('what a person can get wrong is refused with the reason and the remedy', () => {
  const refused = async (bench: TestBench, args: string[], code: number, message: RegExp) => {
    const result = await bench.run(args);
    expect(result.stderr).toMatch(message);
    expect(result.code).toBe(code);
    expect(result.stderr).not.toContain('This is a bug');
  };

  test('sources', async () => {
    const bench = await testBench();
    await mkdir(join(bench.directory, 'empty'));
    const ingest = (...args: string[]) => ['ingest', ...args, '--collection', 'docs'];
    await refused(bench, ingest('nowhere.jsonl'), 1, /no file or directory nowhere\.jsonl/);
    await refused(bench, ingest('empty'), 1, /empty holds no file to read\. Looked for \.jsonl/);
    await refused(bench, ingest('*.jsonl'), 1, /holds no file to read/);
    await refused(bench, ingest(), 2, /Nothing to read/);
    await writeFile(join(bench.directory, 'data.bin'), 'x');
    await refused(bench, ingest('data.bin'), 2, /does not tell its format.*--format/);
  });

  test('flags', async () => {
    const bench = await testBench();
    await refused(bench, ['ingest', '-'], 2, /--collection NAME/);
    await refused(bench, ['ingest', '-', '--collection', 'docs', '--nope'], 2, /unknown option '--nope'/);
    await refused(bench, ['ingest', '-', '--collection', 'a b'], 2, /Collection name "a b" is not usable/);
    await refused(
      bench,
      ['ingest', '-', '--collection', 'docs', '--workers', 'two'],
      2,
      /Expected a whole number/,
    );
    await refused(
      bench,
      ['ingest', '-', '--collection', 'docs', '--chunk-tokens', '9999'],
      2,
      /takes at most 256 tokens/,
    );
    await refused(
      bench,
      ['ingest', '-', '--collection', 'docs', '--metadata-fields', '__proto__'],
      2,
      /cannot be the name/,
    );
    await refused(
      bench,
      ['ingest', '-', '--collection', 'docs', '--model', './nowhere'],
      1,
      /Model "\/.*\/nowhere" was not found: the folder \/.*\/nowhere is not there/,
    );
    await refused(
      bench,
      ['search', 'x', '--collection', 'docs', '--filter', 'year'],
      2,
      /expected FIELD=VALUE/,
    );
    await refused(bench, ['frobnicate'], 2, /unknown command 'frobnicate'/);
  });

  test('services', async () => {
    const file = '-';
    const noRedis = await testBench({ REDIS_URL: 'redis://:secret-word@127.0.0.1:1' });
    await refused(
      noRedis,
      ['ingest', file, '--collection', 'docs'],
      1,
      /Redis at redis:\/\/127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)/,
    );
    expect((await noRedis.run(['status'])).stderr).not.toContain('secret-word');
    const noQdrant = await testBench({ QDRANT_URL: 'http://127.0.0.1:1' });
    await refused(
      noQdrant,
      ['ingest', file, '--collection', 'docs'],
      1,
      /Qdrant at http:\/\/127\.0\.0\.1:1 cannot be reached/,
    );
    const double = await startQdrantDouble({ apiKey: 'right' });
    onTestFinished(() => double.close());
    const wrongKey = await testBench({ QDRANT_URL: double.url, QDRANT_API_KEY: 'secret-word' });
    await refused(wrongKey, ['ingest', file, '--collection', 'docs'], 1, /refused access.*QDRANT_API_KEY/);
    const badUrl = await testBench({ QDRANT_URL: 'localhost:6333', REDIS_URL: 'nonsense' });
    await refused(
      badUrl,
      ['status'],
      2,
      /REDIS_URL: expected a URL that starts with redis:.*QDRANT_URL: expected a URL that starts with http:/,
    );
  });

  test('a collection that somebody else made, in Qdrant', async () => {
    const double = await startQdrantDouble();
    onTestFinished(() => double.close());
    await fetch(`${double.url}/collections/docs`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ vectors: { dense: { size: 4, distance: 'Cosine' } } }),
    });
    const bench = await testBench({ QDRANT_URL: double.url });
    await refused(
      bench,
      ['ingest', '-', '--collection', 'docs'],
      1,
      /has a collection docs that embedline did not make/,
    );
  });
});

test('a file that cannot be read costs that file, and nothing is deleted', async () => {
  const bench = await servedBench();
  await writeFile(join(bench.directory, 'a.jsonl'), jsonl([{ id: 'a', text: 'One.' }]));
  const other = join(bench.directory, 'b.jsonl');
  await writeFile(other, jsonl([{ id: 'b', text: 'Two.' }]));
  const ingest = () => bench.command(['ingest', '*.jsonl', '--collection', 'docs', '--max-delete', '100']);
  expect((await ingest()).code).toBe(0);
  // A named pipe in its place: opening it would wait for ever.
  await rm(other);
  execFileSync('mkfifo', [other]);
  const result = await ingest();
  expect(result.code).toBe(3);
  expect(result.stderr).toMatch(/Nothing was deleted.*b\.jsonl: it is not a regular file/s);
  expect((await storedPoints(bench.directory, 'docs')).size).toBe(2);
});

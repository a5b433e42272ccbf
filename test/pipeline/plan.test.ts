import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { testRedis } from '../support/redis.ts';
import { treeOf } from '../support/tree.ts';

const LONG = Array.from({ length: 80 }, (_, index) => `Sentence ${index} of a long text about rivers.`).join(
  ' ',
);
const BEFORE = [
  { id: 'same', text: 'This one stays as it is.', year: 1 },
  { id: 'edited', text: 'This one will be edited.', year: 1 },
  { id: 'dated', text: 'This one gets another year.', year: 1 },
  { id: 'gone', text: 'This one will vanish.', year: 1 },
  { id: 'long', text: LONG, year: 1 },
];
const AFTER = [
  { id: 'same', text: 'This one stays as it is.', year: 1 },
  { id: 'edited', text: 'This one was edited.', year: 1 },
  { id: 'dated', text: 'This one gets another year.', year: 2 },
  { id: 'long', text: LONG, year: 1 },
  { id: 'new', text: 'This one is new.', year: 1 },
  { id: 'copy', text: 'This one is new.', year: 1 },
  { id: 'bad' },
];

const args = (bench: TestBench, command: string, ...more: string[]) => [
  command,
  join(bench.directory, 'docs.jsonl'),
  '--collection',
  'docs',
  '--metadata-fields',
  'year',
  '--json',
  ...more,
];

async function afterFirstIngest(extra: Record<string, string> = {}): Promise<TestBench> {
  const bench = await testBench(extra);
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(BEFORE));
  expect(await bench.run(args(bench, 'ingest', '--workers', '1'))).toMatchObject({ code: 0 });
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(AFTER));
  return bench;
}

describe('plan', () => {
  test('counts what the ingest after it does, with a sample of each and an estimate', async () => {
    const bench = await afterFirstIngest();
    const planned = await bench.run(args(bench, 'plan'));
    expect(planned.code).toBe(3);
    const [plan] = planned.json;
    expect(plan).toMatchObject({
      type: 'summary',
      run: null,
      state: 'planned',
      writes: { how: 'in-place' },
      documents: { read: 6, new: 2, changed: 2, metadataOnly: 1, unchanged: 2, removed: 1, cut: 1 },
      chunks: { embedded: 2, reused: 1, payloadUpdated: 1, removed: 1 },
      deadLetters: 1,
      deletionWithheld: null,
      samples: {
        new: ['new', 'copy'],
        changed: ['edited', 'dated'],
        metadataOnly: ['dated'],
        removed: ['gone'],
      },
    });
    expect(plan?.['estimatedSeconds']).toEqual(expect.any(Number));
    const done = (await bench.run(args(bench, 'ingest', '--workers', '1'))).json.at(-1);
    expect(done).toMatchObject({ tokens: plan?.['tokens'], chunks: plan?.['chunks'] });
  });

  test('writes nothing: not to the store, not to Redis, not on a machine that has neither', async () => {
    const redis = testRedis();
    // BullMQ's note of when stalled jobs were looked for last goes by itself.
    const keysOf = async (bench: TestBench) =>
      (await redis.keys(`${bench.prefix}*`)).filter((key) => !key.endsWith(':stalled-check')).sort();
    const bench = await afterFirstIngest();
    const before = { tree: await treeOf(bench.directory), keys: await keysOf(bench) };
    expect((await bench.run(args(bench, 'plan', '--rebuild'))).json.at(-1)).toMatchObject({
      writes: { how: 'build', generation: null },
      chunks: { embedded: 2 },
    });
    expect((await bench.run(args(bench, 'ingest', '--dry-run'))).json.at(-1)).toMatchObject({
      state: 'planned',
    });
    expect({ tree: await treeOf(bench.directory), keys: await keysOf(bench) }).toEqual(before);

    const fresh = await testBench({ REDIS_URL: '', EMBEDLINE_NO_INSTALL: '1', PATH: '/nowhere' });
    await writeFile(join(fresh.directory, 'docs.jsonl'), jsonl(BEFORE));
    const untouched = await treeOf(fresh.directory);
    expect(await fresh.run(args(fresh, 'plan'))).toMatchObject({ code: 0 });
    expect(await treeOf(fresh.directory)).toEqual(untouched);
  });

  test('sends Qdrant no request that writes', async () => {
    const double = await startQdrantDouble();
    onTestFinished(() => double.close());
    const bench = await afterFirstIngest({ QDRANT_URL: double.url });
    const before = double.journal.length;
    expect((await bench.run(args(bench, 'plan'))).json.at(-1)).toMatchObject({
      documents: { new: 2, changed: 2, removed: 1 },
    });
    const asked = double.journal.slice(before);
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.filter((request) => !/^GET |^POST \S+\/points(\/(scroll|count))?$/.test(request))).toEqual(
      [],
    );
  });

  test('says what would be withheld, and how to approve it', async () => {
    const bench = await afterFirstIngest();
    await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(AFTER.slice(0, 1)));
    const people = await bench.run(args(bench, 'plan').filter((arg) => arg !== '--json'));
    expect(people.stdout).toMatch(
      /Nothing would be deleted: it is \d+ % of the points \(approve it with --max-delete/,
    );
    expect(people.stdout).toMatch(/removed +4 +dated, edited, gone/);
  });
});

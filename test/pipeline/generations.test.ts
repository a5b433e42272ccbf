import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { storedPoints } from '../support/stored.ts';
import { until } from '../support/temporary.ts';

const texts = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `d${index}`, text: `A text about number ${index}.` }));

const INGEST = ['ingest', 'docs.jsonl', '--collection', 'docs', '--json'];

async function withRecords(records: readonly object[]): Promise<TestBench> {
  const bench = await testBench();
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(records));
  return bench;
}

const ingest = (bench: TestBench, ...more: string[]) => bench.run([...INGEST, '--workers', '1', ...more]);
const listed = async (bench: TestBench) => (await bench.run(['collections', 'list', '--json'])).json;

/** An ingest that stays, since no worker is there. */
async function startIngest(bench: TestBench, ...more: string[]) {
  const running = bench.start([...INGEST, ...more]);
  await until('it has begun', () => running.output().includes('"running"'));
  return running;
}

async function killed(bench: TestBench, ...more: string[]): Promise<void> {
  const running = await startIngest(bench, ...more);
  running.process.kill('SIGKILL');
  await running.result;
}

describe('a build that was killed', () => {
  test('is never rolled back to, and is continued by the same ingest', async () => {
    const bench = await withRecords(texts(3));
    await killed(bench);
    expect(await listed(bench)).toMatchObject([{ live: false, publishedAt: null }]);
    expect((await bench.run(['collections', 'list'])).stdout).toContain('unfinished');
    expect(await bench.run(['collections', 'rollback', 'docs'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/never published: its first ingest has not finished/),
    });
    const [unfinished] = await listed(bench);
    expect((await ingest(bench)).json.at(-1)).toMatchObject({ state: 'done' });
    expect(await listed(bench)).toMatchObject([{ generation: unfinished?.['generation'], live: true }]);

    await ingest(bench, '--rebuild');
    await killed(bench, '--rebuild', '--no-reuse');
    expect((await listed(bench)).map(({ live }) => live)).toEqual([false, true, false]);
    expect((await bench.run(['collections', 'rollback', 'docs', '--json'])).json).toMatchObject([
      { type: 'rollback', name: 'docs', generation: unfinished?.['generation'] },
    ]);
    expect(await bench.run(['collections', 'rollback', 'docs'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no generation before'),
    });
  });

  test('is dropped by an ingest that goes on with the live one', async () => {
    const bench = await withRecords(texts(3));
    await ingest(bench);
    const [live] = await listed(bench);
    await killed(bench, '--chunk-tokens', '64', '--no-reuse');
    expect(await listed(bench)).toHaveLength(2);
    const result = await ingest(bench);
    expect(result).toMatchObject({ code: 0, stderr: expect.stringContaining('Dropped the unfinished') });
    expect(await listed(bench)).toMatchObject([{ generation: live?.['generation'], live: true }]);
  });

  test('of another pipeline stays for that one to continue', async () => {
    const bench = await withRecords(texts(3));
    for (const pipeline of ['left', 'right']) await ingest(bench, '--pipeline', pipeline);
    await killed(bench, '--pipeline', 'left', '--chunk-tokens', '64', '--no-reuse');
    await ingest(bench, '--pipeline', 'right');
    expect(await listed(bench)).toHaveLength(2);
    expect((await ingest(bench, '--pipeline', 'left', '--chunk-tokens', '64')).code).toBe(0);
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(6);
  });
});

describe('while an ingest runs', () => {
  test.each(['rollback', 'drop'])('a %s is refused, or waits', async (command) => {
    const bench = await withRecords(texts(2));
    await ingest(bench);
    await ingest(bench, '--rebuild');
    const [first] = await listed(bench);
    await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(texts(3)));
    const running = await startIngest(bench);
    const args = ['collections', command, 'docs', ...(command === 'drop' ? ['--yes'] : [])];
    expect(await bench.run([...args, '--json'])).toMatchObject({
      code: 1,
      json: [{ type: 'error', code: 'RUN_LOCKED', message: expect.stringMatching(/ingested by run/) }],
    });
    const waiting = bench.start([...args, '--wait']);
    await until('it waits', () => waiting.output().includes('ingested by run'));
    bench.startWorker();
    expect((await running.result).json.at(-1)).toMatchObject({ state: 'done' });
    expect((await waiting.result).code).toBe(0);
    const after = await listed(bench);
    if (command === 'drop') expect(after).toEqual([]);
    else expect(after).toMatchObject([{ generation: first?.['generation'], live: true }, { live: false }]);
  });
});

test('collections drop wants --yes where nobody can be asked, and takes only y on a terminal', async () => {
  const bench = await withRecords(texts(2));
  await ingest(bench);
  expect(await bench.run(['collections', 'drop', 'docs'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/every generation of docs.*--yes/),
  });
  for (const [answer, left] of [
    ['\n', 1],
    ['no\n', 1],
    ['', 1],
    ['y\n', 0],
  ] as const) {
    const stdin = Object.assign(Readable.from([answer]), { isTTY: true });
    const result = await runInProcess(bench, ['collections', 'drop', 'docs'], {}, stdin);
    expect(result.stderr).toContain('Delete every generation of docs?');
    expect(result.code).toBe(left);
    expect(await listed(bench)).toHaveLength(left);
  }
  // What is not there is told before anybody is asked.
  expect(await bench.run(['collections', 'drop', 'docs'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no collection "docs"'),
  });
});

test('--keep-generations says how many can be gone back to', async () => {
  const bench = await withRecords(texts(2));
  await ingest(bench);
  await ingest(bench, '--rebuild', '--keep-generations', '2');
  await ingest(bench, '--rebuild', '--keep-generations', '2');
  expect((await listed(bench)).map(({ live }) => live)).toEqual([false, false, true]);
  await ingest(bench, '--rebuild', '--keep-generations', '0');
  expect((await listed(bench)).map(({ live }) => live)).toEqual([true]);
  expect(await bench.run(['collections', 'rollback', 'docs'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--keep-generations'),
  });
});

test('a generation whose file is gone is listed as lost, and the way out is told', async () => {
  const bench = await withRecords(texts(2));
  await ingest(bench);
  await ingest(bench, '--rebuild');
  const [kept, live] = (await listed(bench)).map(({ generation }) => String(generation));
  await rm(join(bench.directory, 'vectors', `${live}.db`));
  expect(await listed(bench)).toMatchObject([
    { generation: kept, points: 2 },
    { generation: live, points: null },
  ]);
  expect(await ingest(bench)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/is gone: .*embedline collections drop docs/),
  });
  expect(await bench.run(['collections', 'rollback', 'docs'])).toMatchObject({ code: 0 });
  expect((await ingest(bench)).json.at(-1)).toMatchObject({ state: 'done', documents: { unchanged: 2 } });
});

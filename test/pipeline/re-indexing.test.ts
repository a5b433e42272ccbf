import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { comparable, storedPoints } from '../support/stored.ts';
import { until } from '../support/temporary.ts';

const texts = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({
    id: `d${from + index}`,
    text: `A text about number ${from + index}.`,
  }));

async function ingest(bench: TestBench, records: readonly object[], ...more: string[]) {
  const file = join(bench.directory, 'docs.jsonl');
  await writeFile(file, jsonl(records));
  return bench.run(['ingest', file, '--collection', 'docs', '--workers', '1', '--json', ...more]);
}

const summaryOf = (result: { json: readonly Record<string, unknown>[] }) => result.json.at(-1);

describe('texts that are known', () => {
  test('boilerplate that occurs in many documents of one run is embedded once', async () => {
    const bench = await testBench();
    const copies = Array.from({ length: 2500 }, (_, index) => ({
      id: `c${index}`,
      text: 'The same words everywhere.',
    }));
    const result = await ingest(bench, [...copies, ...texts(3)]);
    expect(summaryOf(result)).toMatchObject({
      chunks: { total: 2503, embedded: 4, reused: 2499 },
      deadLetters: 0,
    });
    const vectors = [...(await storedPoints(bench.directory, 'docs')).values()]
      .filter(({ chunk }) => chunk.documentId.startsWith('c'))
      .map(({ vector }) => vector.join());
    expect(vectors).toHaveLength(2500);
    expect(new Set(vectors).size).toBe(1);
  });

  test('a rebuild copies vectors; with --no-reuse it embeds anew', async () => {
    const bench = await testBench();
    await ingest(bench, texts(4));
    const before = comparable(await storedPoints(bench.directory, 'docs'));
    expect(summaryOf(await ingest(bench, texts(4), '--rebuild'))).toMatchObject({
      chunks: { embedded: 0, reused: 4 },
    });
    expect(summaryOf(await ingest(bench, texts(4), '--rebuild', '--no-reuse'))).toMatchObject({
      chunks: { embedded: 4, reused: 0 },
    });
    expect(comparable(await storedPoints(bench.directory, 'docs'))).toEqual(before);
  });

  test('files that were renamed or moved cost no inference', async () => {
    const bench = await testBench();
    const corpus = join(bench.directory, 'corpus');
    await mkdir(join(corpus, 'old'), { recursive: true });
    await writeFile(join(corpus, 'old', 'a.txt'), 'A text in a file.');
    await writeFile(join(corpus, 'b.txt'), 'Another text in a file.');
    const run = (...more: string[]) =>
      bench.run(['ingest', corpus, '--collection', 'docs', '--workers', '1', '--json', ...more]);
    await run();
    await rename(join(corpus, 'old', 'a.txt'), join(corpus, 'renamed.txt'));
    expect(summaryOf(await run('--max-delete', '50'))).toMatchObject({
      documents: { new: 1, unchanged: 1, removed: 1 },
      chunks: { embedded: 0, reused: 1, removed: 1 },
    });
  });
});

describe('the delete guard', () => {
  test('0 % allows no deletion at all, 100 % any', async () => {
    const bench = await testBench();
    await ingest(bench, texts(30));
    const none = await ingest(bench, texts(29), '--max-delete', '0');
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('--max-delete 4%') });
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(30);
    expect(await ingest(bench, texts(1, 100), '--max-delete', '100%')).toMatchObject({ code: 0 });
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(1);
  });
});

describe('pipelines that share a collection', () => {
  const run = async (bench: TestBench, pipeline: string, records: readonly object[], ...more: string[]) => {
    const file = join(bench.directory, `${pipeline}.jsonl`);
    await writeFile(file, jsonl(records));
    return bench.run([
      'ingest',
      file,
      '--collection',
      'docs',
      '--pipeline',
      pipeline,
      '--workers',
      '1',
      '--json',
      ...more,
    ]);
  };
  const idsOf = async (bench: TestBench) =>
    [...(await storedPoints(bench.directory, 'docs')).values()]
      .map(({ chunk }) => `${chunk.pipeline}/${chunk.documentId}`)
      .sort();

  test('delete nothing of each other, and move along when one is built anew', async () => {
    const bench = await testBench();
    await run(bench, 'left', texts(3));
    await run(bench, 'right', texts(2));
    expect(await idsOf(bench)).toEqual(['left/d0', 'left/d1', 'left/d2', 'right/d0', 'right/d1']);
    await run(bench, 'left', texts(1), '--max-delete', '100');
    expect(await idsOf(bench)).toEqual(['left/d0', 'right/d0', 'right/d1']);
    expect(summaryOf(await run(bench, 'left', texts(2), '--rebuild'))).toMatchObject({ state: 'done' });
    expect(await idsOf(bench)).toEqual(['left/d0', 'left/d1', 'right/d0', 'right/d1']);
    expect(summaryOf(await run(bench, 'right', texts(2)))).toMatchObject({ documents: { unchanged: 2 } });
  });

  test('while one builds a new generation, the others wait or are refused; and the other way round', async () => {
    const bench = await testBench();
    await run(bench, 'left', texts(3));
    await run(bench, 'right', texts(2));
    const start = (pipeline: string, ...more: string[]) =>
      bench.start([
        'ingest',
        `${pipeline}.jsonl`,
        '--collection',
        'docs',
        '--pipeline',
        pipeline,
        '--json',
        ...more,
      ]);
    // No worker is there, so that a run which has something to embed stays.
    await writeFile(join(bench.directory, 'left.jsonl'), jsonl(texts(4, 50)));
    const builder = start('left', '--rebuild', '--max-delete', '100');
    await until('the build has begun', () => builder.output().includes('"running"'));
    const refused = await run(bench, 'right', texts(2));
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/collection docs is being ingested by run/),
    });
    const waiting = start('right', '--wait');
    await until('it waits', () => waiting.output().includes('Wait for it'));
    bench.startWorker();
    expect((await builder.result).code).toBe(0);
    expect((await waiting.result).json.at(-1)).toMatchObject({ state: 'done', documents: { unchanged: 2 } });

    expect((await idsOf(bench)).length).toBe(6);
  });
});

test('a reader that goes away (| head) does not end the ingest that it read from', async () => {
  const bench = await testBench();
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(texts(40)));
  const running = bench.start(['ingest', 'docs.jsonl', '--collection', 'docs', '--json']);
  await until('it has said something', () => running.output().includes('"progress"'));
  running.process.stdout?.destroy();
  bench.startWorker();
  expect((await running.result).code).toBe(0);
  expect((await storedPoints(bench.directory, 'docs')).size).toBe(40);
});

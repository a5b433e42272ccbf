import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { jsonl } from '../support/cli.ts';
import { sharedServedBench } from '../support/served-bench.ts';

const served = sharedServedBench();
const RECORDS = ['the harbour at dawn', 'copper mines and violins', 'a storm over the planet'].map(
  (text, index) => ({ id: `d${index}`, text }),
);

test('a collection of onnxruntime stays what it is until its owner moves it to the kernel, and goes back (issue 15, 4)', async () => {
  const bench = served();
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(RECORDS));
  const run = async (...args: string[]) => {
    const result = await bench.command([...args, '--collection', 'docs', '--json']);
    expect(result, result.stderr).toMatchObject({ code: 0 });
    return result.json;
  };
  const last = async (command: string, ...flags: string[]) =>
    (await run(command, 'docs.jsonl', ...flags)).at(-1);

  const first = await last('ingest', '--engine', 'onnxruntime');
  expect(first).toMatchObject({ engine: 'onnxruntime', chunks: { embedded: 3 } });
  // Nobody asks for an engine: everything goes on as it was.
  expect(await last('ingest')).toMatchObject({ engine: 'onnxruntime', chunks: { embedded: 0, skipped: 3 } });
  expect(await last('verify', '--sample', '3')).toMatchObject({ verdict: 'sound' });

  const plan = await last('plan', '--engine', 'kernel');
  expect(plan).toMatchObject({ engine: 'kernel', writes: { how: 'build' }, chunks: { embedded: 3 } });
  expect(plan?.['estimatedSeconds']).toBeGreaterThanOrEqual(0);
  expect(await last('ingest', '--engine', 'kernel')).toMatchObject({
    engine: 'kernel',
    chunks: { embedded: 3 },
  });
  expect(await last('ingest')).toMatchObject({ engine: 'kernel', chunks: { embedded: 0, skipped: 3 } });
  expect(await last('verify', '--sample', '3')).toMatchObject({ verdict: 'sound' });
  expect(await run('search', 'violin')).toMatchObject([{ documentId: 'd1' }, {}, {}]);
  const other = await bench.command(['verify', 'docs.jsonl', '-c', 'docs', '--engine', 'onnxruntime']);
  expect(other).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/made with another model.*kernel \(arithmetic 1\)/) as string,
  });

  const listed = await bench.command(['collections', 'list', '--json']);
  expect(listed.json).toMatchObject([
    { live: false, engine: 'onnxruntime' },
    { live: true, engine: 'kernel' },
  ]);
  expect((await bench.command(['collections', 'rollback', 'docs'])).code).toBe(0);
  expect(await last('ingest')).toMatchObject({ engine: 'onnxruntime', chunks: { embedded: 0, skipped: 3 } });
  expect(await run('search', 'violin')).toMatchObject([{ documentId: 'd1' }, {}, {}]);
});

test('a new collection gets the kernel, says so, and shares a worker with onnxruntime; the file may say otherwise', async () => {
  const bench = served();
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(RECORDS));
  const pipelines = {
    fresh: { sources: ['docs.jsonl'] },
    kept: { sources: ['docs.jsonl'], engine: 'onnxruntime' },
  };
  await writeFile(join(bench.directory, 'embedline.config.json'), JSON.stringify({ pipelines }));
  const { code, stdout, stderr } = await bench.command(['ingest', '--all']);
  expect(code, stderr).toBe(0);
  expect(stdout.match(/ {2}model .*/g)).toEqual([
    expect.stringMatching(/all-MiniLM-L6-v2 q8, kernel \(arithmetic 1\)/) as string,
    expect.stringMatching(/all-MiniLM-L6-v2 q8, onnxruntime/) as string,
  ]);
  const doctor = await bench.command(['doctor', '--json']);
  const found = doctor.json.filter(({ check }) => check === 'engine').map((finding) => finding['found']);
  expect(found).toEqual([
    expect.stringMatching(/^kernel \(arithmetic 1\), instruction set \S+ \(the fastest there is\)/) as string,
    'onnxruntime, since onnxruntime was asked for',
  ]);
  const rates: unknown = JSON.parse(await readFile(join(bench.directory, 'measured-rates.json'), 'utf8'));
  expect(Object.keys((rates as { entries: object }).entries)).toHaveLength(2);
});

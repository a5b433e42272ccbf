import { cp, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';

const tiny = fileURLToPath(new URL('../fixtures/tiny-models', import.meta.url));

/** A bench with a models folder of its own: a transformer of eight dimensions and a static model made of it. */
async function benchWithStaticModel(): Promise<{ bench: TestBench; modelsDirectory: string }> {
  const modelsDirectory = await temporaryDirectory();
  await cp(join(tiny, 'steady'), join(modelsDirectory, 'steady'), { recursive: true });
  const bench = await testBench({ EMBEDLINE_MODELS: modelsDirectory });
  const distilled = await bench.run([...DISTILL, '--dimensions', '4', '--json']);
  expect(distilled, distilled.stderr).toMatchObject({ code: 0 });
  expect(distilled.json.at(-1)).toMatchObject({
    type: 'summary',
    id: 'fast',
    kind: 'static',
    dtype: 'int8',
    dimensions: 4,
    maxTokens: 32,
    tokens: 12,
    directory: join(modelsDirectory, 'fast'),
  });
  return { bench, modelsDirectory };
}

const DISTILL = ['models', 'distill', '--from', 'steady', '--name', 'fast'];
const INGEST = ['ingest', '-', '--collection', 'docs', '--model', 'fast', '--json'];
const RECORDS = [
  { id: 'a', text: 'hello world' },
  { id: 'b', text: 'quick brown fox' },
  { id: 'c', text: 'about it' },
];

test('a distilled model is listed, embeds a corpus in workers, and answers searches', async () => {
  const { bench } = await benchWithStaticModel();
  const listed = await bench.run(['models', 'list', '--json']);
  expect(listed.json).toMatchObject([
    { id: 'fast', kind: 'static', dtype: 'int8', dimensions: 4 },
    { id: 'steady', kind: 'transformer', dtype: 'fp32', dimensions: 8 },
  ]);
  const table = await bench.run(['models', 'list']);
  expect(table.stdout).toMatch(/^MODEL +KIND .*\nfast +static +int8 .*\nsteady +transformer +fp32 /);

  bench.startWorker();
  const ingested = await bench.run(INGEST, jsonl(RECORDS));
  expect(ingested, ingested.stderr).toMatchObject({ code: 0 });
  expect(ingested.json.at(-1)).toMatchObject({ chunks: { total: 3, embedded: 3 }, deadLetters: 0 });
  const search = await bench.run(['search', 'quick fox', '--collection', 'docs', '--json', '--limit', '1']);
  expect(search.json).toMatchObject([{ documentId: 'b' }]);
  const corpus = jsonl(RECORDS);
  const planned = await bench.run(['plan', ...INGEST.slice(1)], corpus);
  expect(planned.json.at(-1)).toMatchObject({ chunks: { total: 3, embedded: 0, skipped: 3 } });
  const verified = await bench.run(['verify', ...INGEST.slice(1)], corpus);
  expect(verified, verified.stderr + verified.stdout).toMatchObject({ code: 0 });
});

test('a text of which the model knows nothing is a dead letter; its neighbours land', async () => {
  const { bench } = await benchWithStaticModel();
  const records = [...RECORDS, { id: 'd', text: 'wholly unheard of' }];
  const flags = ['--workers', '1', '--max-given-up', '30%'];
  const ingested = await bench.run([...INGEST, ...flags], jsonl(records));
  expect(ingested, ingested.stderr).toMatchObject({ code: 3 });
  expect(ingested.json.at(-1)).toMatchObject({ chunks: { total: 4, embedded: 3 }, deadLetters: 1 });
  const letters = await bench.run(['failed', 'list', '--json']);
  expect(letters.json).toMatchObject([{ code: 'EMBEDDING_INVALID', documentId: 'd' }]);
  expect(letters.stdout).toContain("none of the text's tokens");
});

test('a worker whose model of that name is another one refuses to embed', async () => {
  const { bench } = await benchWithStaticModel();
  const other = await temporaryDirectory();
  const made = await bench.run([...DISTILL, '--dimensions', '3', '--out', other]);
  expect(made, made.stderr).toMatchObject({ code: 0 });
  const stranger = bench.startWorker(['--concurrency', '1'], { EMBEDLINE_MODELS: other });
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(RECORDS));
  const ingest = bench.start(INGEST.with(1, 'docs.jsonl'));
  await until('it leaves the run to others', () => stranger.output().includes('MODEL_MISMATCH'));
  // It took no batch: a worker with the right model embeds all.
  bench.startWorker();
  const ingested = await ingest.result;
  expect(ingested, ingested.stderr).toMatchObject({ code: 0 });
  expect(ingested.json.at(-1)).toMatchObject({ chunks: { total: 3, embedded: 3 }, deadLetters: 0 });
});

test('distilling over a model that is there is refused, and leaves it and nothing else', async () => {
  const { bench, modelsDirectory } = await benchWithStaticModel();
  const again = await bench.run(DISTILL);
  expect(again).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is there already') as string,
  });
  expect((await readdir(modelsDirectory)).sort()).toEqual(['fast', 'steady']);
  const bad = await bench.run([...DISTILL.slice(0, -1), '../fast']);
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining('not a model id') as string });
});

test('a folder that is no model is named by the list, which tells the others', async () => {
  const { bench, modelsDirectory } = await benchWithStaticModel();
  await rename(
    join(modelsDirectory, 'steady', 'onnx', 'model.onnx'),
    join(modelsDirectory, 'steady', 'weights.onnx'),
  );
  const listed = await bench.run(['models', 'list', '--json']);
  expect(listed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('steady cannot be used') as string,
  });
  expect(listed.json).toMatchObject([{ id: 'fast' }]);
});

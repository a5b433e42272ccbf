import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveModel } from '@embedline/core';
import { expect, onTestFinished, test } from 'vitest';
import { createLocalEmbedder } from '../../packages/core/src/embedder/local-embedder.ts';
import { testBench } from '../support/cli.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const models = fileURLToPath(new URL('../fixtures/tiny-models', import.meta.url));

async function open(id: string) {
  const model = await resolveModel({ id, modelsDirectory: models, dataDirectory: '/nonexistent' });
  const warnings: string[] = [];
  const embedder = await createLocalEmbedder({
    model,
    processes: 1,
    onWarning: (text) => warnings.push(text),
  });
  onTestFinished(() => embedder.close());
  return { embedder, model, warnings };
}

test('a model of one’s own is read from its files: dimensions, longest input, pooling, prefixes', async () => {
  const { embedder, model, warnings } = await open('steady');
  expect(model.spec).toMatchObject({
    id: 'steady',
    dtype: 'fp32',
    dimensions: 8,
    maxTokens: 32,
    pooling: 'mean',
    queryPrefix: 'a ',
    passagePrefix: 'the ',
  });
  const { vectors, tokens } = await embedder.embed(['hello world', 'hello '.repeat(50)]);
  expect(tokens).toEqual([4, 32]);
  expect(Math.hypot(...(vectors[0] ?? []))).toBeCloseTo(1, 5);
  expect(warnings).toEqual([]);
});

test('a model whose vectors depend on their neighbours is noticed, and its texts are embedded one at a time', async () => {
  const { embedder, warnings } = await open('drifting');
  expect(warnings).toEqual([expect.stringContaining('one at a time')]);
  const alone = await embedder.embed(['hello world']);
  const together = await embedder.embed(['quick fox', 'hello world', 'brown lines']);
  expect(together.vectors[1]).toEqual(alone.vectors[0]);
});

test('files that are no model are refused by name', async () => {
  const directory = await temporaryDirectory();
  await cp(join(models, 'steady'), join(directory, 'broken'), { recursive: true });
  await writeFile(join(directory, 'broken', 'onnx', 'model.onnx'), 'not a model');
  const model = await resolveModel({
    id: 'broken',
    modelsDirectory: directory,
    dataDirectory: '/nonexistent',
  });
  await expect(createLocalEmbedder({ model, processes: 1 })).rejects.toMatchObject({ code: 'MODEL_INVALID' });
});

test('ingest and search with a model named by its folder; its workers find it by themselves', async () => {
  const bench = await testBench();
  const folder = join(models, 'steady');
  const ingested = await bench.run(
    ['ingest', '-', '--collection', 'docs', '--workers', '1', '--model', folder],
    '{"id":"a","text":"hello world"}\n{"id":"b","text":"quick brown fox"}\n',
  );
  expect(ingested, ingested.stderr).toMatchObject({ code: 0 });
  const search = ['search', 'quick brown fox', '--collection', 'docs', '--json', '--limit', '1'];
  const unnamed = await bench.run(search);
  expect(unnamed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Model "steady" was not found') as string,
  });
  const { json } = await bench.run([...search, '--model', folder]);
  expect(json).toMatchObject([{ documentId: 'b' }]);
});

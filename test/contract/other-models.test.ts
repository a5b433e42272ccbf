import { cp, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveModel } from '@embedline/core';
import { expect, onTestFinished, test } from 'vitest';
import { createLocalEmbedder } from '../../packages/core/src/embedder/local-embedder.ts';
import { testBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { encodeOnnx } from '../support/onnx-file.ts';
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
  const options = { id: 'broken', modelsDirectory: directory, dataDirectory: '/nonexistent' };
  await expect(resolveModel(options)).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringContaining('onnx/model.onnx') as string,
  });
  // Its inputs and outputs are those of a text encoder, and its graph is no network.
  await writeFile(join(directory, 'broken', 'onnx', 'model.onnx'), encodeOnnx({}));
  const model = await resolveModel(options);
  await expect(createLocalEmbedder({ model, processes: 1 })).rejects.toMatchObject({ code: 'MODEL_INVALID' });
});

test('ingest and search with a model named by its folder, which is found again until it moves (issue 13, E18)', async () => {
  const bench = await testBench();
  const folder = join(await temporaryDirectory(), 'mine');
  await cp(join(models, 'steady'), folder, { recursive: true });
  const ingested = await bench.run(
    ['ingest', '-', '--collection', 'docs', '--workers', '1', '--model', folder],
    '{"id":"a","text":"hello world"}\n{"id":"b","text":"quick brown fox"}\n',
  );
  expect(ingested, ingested.stderr).toMatchObject({ code: 0 });
  const search = ['search', 'quick brown fox', '--collection', 'docs', '--json', '--limit', '1'];
  expect((await runInProcess(bench, search)).json).toMatchObject([{ documentId: 'b' }]);
  const moved = `${folder}-moved`;
  await rename(folder, moved);
  const lost = await runInProcess(bench, search);
  expect(lost.code).toBe(1);
  expect(lost.stderr + lost.stdout).toMatch(/mine \(.*last found it in .*--model \.\/path/);
  await rename(moved, folder);
  expect((await runInProcess(bench, [...search, '--model', folder])).json).toMatchObject([
    { documentId: 'b' },
  ]);
  await writeFile(join(folder, 'sentence_bert_config.json'), '{"max_seq_length":16}');
  const changed = await runInProcess(bench, search);
  expect(changed.stderr + changed.stdout).toMatch(
    /was made with mine \(.*but the model in .*mine is mine \(/,
  );
});

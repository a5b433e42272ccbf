import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  DEFAULT_MODEL_ID,
  engineIdentity,
  examineCanaries,
  listInstructionSets,
  machineLimits,
  readReferences,
  resolveModel,
  type Embedder,
} from '@embedline/core';
import { expect, test } from 'vitest';
import { TuningCache } from '../../packages/core/src/embedder/tuning/tuning-cache.ts';
import { testBench } from '../support/cli.ts';
import { finding } from '../support/doctor.ts';
import { runInProcess } from '../support/in-process-cli.ts';

const MODELS = fileURLToPath(new URL('../../models', import.meta.url));
const TINY = fileURLToPath(new URL('../fixtures/tiny-models', import.meta.url));

test('a model whose files are not the ones that ship', async () => {
  const bench = await testBench();
  const folder = join(bench.directory, 'models', DEFAULT_MODEL_ID);
  await cp(join(MODELS, DEFAULT_MODEL_ID), folder, { recursive: true });
  const tokenizer = join(folder, 'tokenizer.json');
  await writeFile(tokenizer, `${await readFile(tokenizer, 'utf8')}\n`);
  const env = { EMBEDLINE_MODELS: join(bench.directory, 'models') };
  expect(await finding(bench, 'model', env)).toMatchObject({
    code: 1,
    found: expect.stringMatching(/SHA-256 differs.*git checkout/),
  });
});

test('a model that nothing pins, with the hash to pin it by; a pin that others files have is refused', async () => {
  const bench = await testBench();
  const configure = (pin: object) =>
    writeFile(
      join(bench.directory, 'embedline.config.json'),
      JSON.stringify({ pipelines: { docs: { sources: ['.'], model: join(TINY, 'steady'), ...pin } } }),
    );
  await configure({});
  const unpinned = await finding(bench, 'model');
  const { spec } = await resolveModel({
    id: 'steady',
    modelsDirectory: TINY,
    dataDirectory: '/nonexistent',
  });
  expect(unpinned).toMatchObject({
    code: 0,
    verdict: 'warning',
    remedy: expect.stringContaining(spec.hash),
  });
  await configure({ modelSha256: spec.hash });
  expect(await finding(bench, 'model')).toMatchObject({ verdict: 'ok' });
  await configure({ modelSha256: 'f'.repeat(64) });
  expect(await finding(bench, 'model')).toMatchObject({
    verdict: 'problem',
    found: expect.stringContaining(spec.hash),
  });
  const ingest = await runInProcess(bench, ['ingest', 'docs']);
  expect(ingest).toMatchObject({ code: 1, stderr: expect.stringContaining('modelSha256') });
});

test('a model that gives canary texts other vectors than its references, or depends on their neighbours', async () => {
  const { spec } = await resolveModel({
    id: DEFAULT_MODEL_ID,
    modelsDirectory: MODELS,
    dataDirectory: '/nonexistent',
  });
  const references = (await readReferences(spec, MODELS)) ?? [];
  expect(references).toHaveLength(8);
  const reference = new Map(references.map(({ text, vector }) => [text, vector]));
  const answering = (change: (vector: Float32Array, inCompany: boolean) => void): Embedder => ({
    model: spec,
    embed: (texts) => {
      const vectors = texts.map((text) => Float32Array.from(reference.get(text) ?? []));
      for (const vector of vectors) change(vector, texts.length > 1);
      return Promise.resolve({ vectors, tokens: texts.map(() => 1) });
    },
    countTokens: () => 1,
    close: () => Promise.resolve(),
  });
  const look = (embedder: Embedder) => examineCanaries(embedder, references);
  expect(await look(answering(() => undefined))).toMatchObject({ verdict: 'ok' });
  const mirrored = answering((vector) => vector.set(vector.toReversed()));
  expect(await look(mirrored)).toMatchObject({
    verdict: 'problem',
    found: expect.stringContaining('cosine'),
  });
  const drifting = answering(
    (vector, inCompany) => void (vector[0] = (vector[0] ?? 0) + (inCompany ? 1e-6 : 0)),
  );
  expect(await look(drifting)).toMatchObject({
    verdict: 'problem',
    found: expect.stringContaining('8 of 8'),
  });
  const broken = answering((vector) => vector.fill(Number.NaN));
  expect(await look(broken)).toMatchObject({ verdict: 'problem' });
});

test('how a worker of this machine runs the model: as is usual, or as was measured', async () => {
  const bench = await testBench();
  expect(await finding(bench, 'inference')).toMatchObject({
    verdict: 'ok',
    found: expect.stringMatching(
      /^\d+ process(es)? of 1 thread, 512 tokens at a time, as is usually fastest/,
    ),
  });
  const { spec, filesHash } = await resolveModel({
    id: DEFAULT_MODEL_ID,
    modelsDirectory: MODELS,
    dataDirectory: bench.directory,
  });
  const kernel = engineIdentity('kernel', filesHash);
  const cache = new TuningCache(bench.directory);
  const instructionSet = listInstructionSets().find(({ usable }) => usable)?.name ?? 'plain';
  // What was measured with onnxruntime, or another instruction set, says nothing of this one.
  const other = { processes: 2, threadsPerProcess: 3, microBatchTokens: 2048 };
  await cache.set(spec, machineLimits(), other);
  await cache.set({ ...spec, ...kernel }, { ...machineLimits(), instructionSet: 'plain' }, other);
  const measured = { processes: 1, threadsPerProcess: 1, microBatchTokens: 1024 };
  await cache.set({ ...spec, ...kernel }, { ...machineLimits(), instructionSet }, measured);
  expect(await finding(bench, 'inference')).toMatchObject({
    found: '1 process of 1 thread, 1024 tokens at a time, as was measured on this machine',
  });
});

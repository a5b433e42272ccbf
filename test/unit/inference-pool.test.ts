import { expect, onTestFinished, test } from 'vitest';
import { InferenceChild } from '../../packages/core/src/embedder/inference-child.ts';
import { InferencePool } from '../../packages/core/src/embedder/inference-pool.ts';
import { DEADLY, DIMENSIONS, FAILING, fakeInferenceVector } from '../support/fake-inference.ts';
import { until } from '../support/temporary.ts';

const program = new URL('../support/fake-inference.ts', import.meta.url);

function startPool({ processes = 1, microBatchTokens = 512, threads = 1 } = {}) {
  const started: InferenceChild[] = [];
  const warnings: string[] = [];
  const pool = new InferencePool({
    settings: {
      weightsFile: '',
      dimensions: DIMENSIONS,
      pooling: 'mean',
      engine: { name: 'onnxruntime', threads },
    },
    processes,
    microBatchTokens,
    modelId: 'fake',
    onWarning: (message) => warnings.push(message),
    startChild: (settings) => {
      const child = new InferenceChild(settings, program);
      started.push(child);
      return child;
    },
  });
  onTestFinished(() => pool.close());
  return { pool, started, warnings };
}

const textsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => Array.from({ length: 3 + (index % 5) }, () => 100 + index));
const vectorsOf = (texts: readonly (readonly number[])[]) =>
  texts.map((ids) => Float32Array.from(fakeInferenceVector(ids)));

test('answers every call with its own vectors, in its order, however texts are pooled', async () => {
  const { pool } = startPool({ processes: 2, microBatchTokens: 16 });
  const calls = [textsOf(40), textsOf(7).toReversed(), [], textsOf(23)];
  const answers = await Promise.all(calls.map((texts) => pool.embed(texts)));
  expect(answers).toEqual(calls.map(vectorsOf));
});

test('a text that kills processes fails its own call after two of them; all others come through', async () => {
  const { pool, started } = startPool({ microBatchTokens: 64 });
  const poisoned = [...textsOf(9), [5, DEADLY, 5]];
  const [bad, good] = await Promise.allSettled([pool.embed(poisoned), pool.embed(textsOf(30))]);
  expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'EMBEDDING_FAILED' } });
  expect(good).toEqual({ status: 'fulfilled', value: vectorsOf(textsOf(30)) });
  expect(started.filter(({ alive }) => !alive)).toHaveLength(2);
});

test('a text that the model fails on fails its own call; those beside it in the micro-batch come through', async () => {
  const { pool, started } = startPool();
  const [bad, good] = await Promise.allSettled([
    pool.embed([[1, FAILING, 2]]),
    pool.embed([
      [1, 2, 3],
      [4, 5, 6],
    ]),
  ]);
  expect(bad).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('unlucky') } });
  expect(good).toMatchObject({ status: 'fulfilled' });
  expect(started).toHaveLength(1);
});

test('goes through the network one text at a time when told to', async () => {
  const { pool, started } = startPool();
  await pool.embed(textsOf(1));
  const same = Array.from({ length: 6 }, () => [1, 2, 3]);
  await pool.embed(same);
  // The fake process says how many texts it was given last.
  expect(started[0]?.residentBytes).toBeGreaterThan(1);
  pool.embedOneByOne();
  await pool.embed(same);
  expect(started[0]?.residentBytes).toBe(1);
});

test('processes that die before they are ready are started three times, then it says so', async () => {
  const { pool, started } = startPool({ threads: 0 });
  await expect(pool.embed(textsOf(2))).rejects.toMatchObject({ code: 'MODEL_INVALID' });
  await expect(pool.embed(textsOf(2))).rejects.toMatchObject({ code: 'MODEL_INVALID' });
  expect(started).toHaveLength(3);
});

test.each(['SIGKILL', 'SIGSEGV'] as const)(
  'a process that %s ends is told of with the signal, one that is closed is not',
  async (signal) => {
    const { pool, started, warnings } = startPool();
    await pool.embed(textsOf(3));
    process.kill(started[0]?.pid ?? 0, signal);
    await until('it is noticed', () => warnings.length > 0);
    expect(await pool.embed(textsOf(3))).toEqual(vectorsOf(textsOf(3)));
    await pool.close();
    expect(warnings).toEqual([
      expect.stringContaining(`An inference process died: it ended with ${signal}.`),
    ]);
  },
);

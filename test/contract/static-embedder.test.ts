import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEmbedder, distillModel, loadTokenCounter, resolveModel, sameModel } from '@embedline/core';
import fc from 'fast-check';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { encodeSafetensors, type Tensor } from '../../packages/core/src/embedder/static/safetensors.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const tiny = fileURLToPath(new URL('../fixtures/tiny-models', import.meta.url));
const resolve = (id: string, modelsDirectory: string, dtype?: string) =>
  resolveModel({ id, dtype, modelsDirectory, dataDirectory: '/nonexistent' });

const tinyTransformer = await resolve('steady', tiny);
const madeDirectory = await mkdtemp(join(tmpdir(), 'embedline-static-'));
afterAll(() => rm(madeDirectory, { recursive: true }));

/** A model of the words of the tiny transformer, in a models folder of its own. */
async function distilled(dimensions: number) {
  const directory = join(madeDirectory, randomUUID(), 'fast');
  await distillModel({ from: tinyTransformer, directory, dimensions });
  return resolve('fast', dirname(directory));
}
const fast = await distilled(4);

async function open(model: Awaited<ReturnType<typeof resolve>>) {
  const embedder = await createEmbedder(model);
  onTestFinished(() => embedder.close());
  return embedder;
}

const numbers = {
  F32: (values: readonly number[]) => new Float32Array(values),
  F16: (values: readonly number[]) => new Float16Array(values),
  F64: (values: readonly number[]) => new Float64Array(values),
  I8: (values: readonly number[]) => new Int8Array(values),
  I32: (values: readonly number[]) => new Int32Array(values),
  I64: (values: readonly number[]) => new BigInt64Array(values.map(BigInt)),
};

function tensor(type: keyof typeof numbers, shape: readonly number[], values: readonly number[]): Tensor {
  return { type, shape, bytes: new Uint8Array(numbers[type](values).buffer) };
}

/** A folder as Model2Vec publishes them, over the sixteen tokens of the tiny tokenizer. */
async function published(tensors: Readonly<Record<string, Tensor>>, config: object = {}) {
  const modelsDirectory = await temporaryDirectory();
  const directory = join(modelsDirectory, 'potion');
  await mkdir(directory);
  await cp(join(tiny, 'steady', 'tokenizer.json'), join(directory, 'tokenizer.json'));
  await writeFile(join(directory, 'model.safetensors'), encodeSafetensors(new Map(Object.entries(tensors))));
  const fields = { model_type: 'model2vec', normalize: true, seq_length: 1_000_000, ...config };
  await writeFile(join(directory, 'config.json'), JSON.stringify(fields));
  return resolve('potion', modelsDirectory);
}

/** Row `id` points at (id, 1). */
const rows = Array.from({ length: 16 }, (_, id) => [id, 1]).flat();
const [HELLO, WORLD] = [4, 5];

describe('a distilled model', () => {
  test('gives unit vectors of its own dimensions, and counts tokens without special ones', async () => {
    expect(fast).toMatchObject({
      kind: 'static',
      spec: { id: 'fast', dtype: 'int8', dimensions: 4, pooling: 'mean', maxTokens: 32, queryPrefix: '' },
    });
    const { vectors, tokens } = await (await open(fast)).embed(['hello world', 'hello '.repeat(50)]);
    expect(tokens).toEqual([2, 32]);
    for (const vector of vectors) {
      expect(vector).toHaveLength(4);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
    }
    const counter = await loadTokenCounter(fast);
    expect([counter.count('hello world'), counter.specialTokens]).toEqual([2, 0]);
  });

  test('gives a text the same bits alone, among others, and loaded again', async () => {
    const [embedder, another] = [await open(fast), await open(fast)];
    const words = fc.constantFrom('hello', 'world', 'the', 'quick', 'brown', 'fox', '.', 'lines', 'unheard');
    const text = fc.array(words, { maxLength: 40 }).map((parts) => ['a', ...parts].join(' '));
    await fc.assert(
      fc.asyncProperty(text, fc.array(text, { maxLength: 80 }), async (wanted, company) => {
        const alone = await embedder.embed([wanted]);
        const together = await embedder.embed([...company, wanted]);
        const elsewhere = await another.embed([wanted, ...company]);
        expect(together.vectors.at(-1)).toEqual(alone.vectors[0]);
        expect(elsewhere.vectors[0]).toEqual(alone.vectors[0]);
      }),
    );
  });

  test('is the same when it is made again, and another one with other dimensions', async () => {
    expect(sameModel(fast.spec, (await distilled(4)).spec)).toBe(true);
    expect(sameModel(fast.spec, (await distilled(3)).spec)).toBe(false);
  });

  test('gives a text of which it knows no token an error of its own', async () => {
    const embedder = await open(fast);
    for (const text of ['unheard of', '[PAD]', '']) {
      await expect(embedder.embed(['hello', text])).rejects.toMatchObject({
        code: 'EMBEDDING_INVALID',
        message: expect.stringContaining("none of the text's tokens") as string,
      });
    }
    expect((await embedder.embed(['hello unheard'])).vectors).toEqual(
      (await embedder.embed(['hello'])).vectors,
    );
  });

  test('stops for an aborted call, and answers nothing once closed', async () => {
    const embedder = await open(fast);
    const reason = new Error('enough');
    await expect(embedder.embed(['hello'], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const texts = Array.from(
      { length: 2_000 },
      (_, index) => 'hello world '.repeat((index % 16) + 1) + index,
    );
    const running = embedder.embed(texts, { signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await expect(running).rejects.toBe(reason);
    const pending = embedder.embed(texts);
    await embedder.close();
    await embedder.close();
    await expect(pending).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(embedder.embed(['hello'])).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('is refused where there is no sense in it, before anything is written', async () => {
    const modelsDirectory = await temporaryDirectory();
    const distill = (options: object) =>
      distillModel({
        from: tinyTransformer,
        directory: join(modelsDirectory, 'new'),
        dimensions: 4,
        ...options,
      });
    await expect(distill({ from: fast })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(distill({ dimensions: 9 })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('steady has 8 dimensions') as string,
    });
    await expect(distill({ directory: modelsDirectory })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('is there already') as string,
    });
    const controller = new AbortController();
    const reason = new Error('enough');
    const stopped = distill({ signal: controller.signal, onProgress: () => controller.abort(reason) });
    await expect(stopped).rejects.toBe(reason);
    await expect(resolve('new', modelsDirectory)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });
});

describe('a published Model2Vec model', () => {
  const unit = (x: number, y: number) => [x / Math.hypot(x, y), y / Math.hypot(x, y)];
  const expectClose = (vector: ArrayLike<number> | undefined, wanted: readonly number[]) =>
    wanted.forEach((value, index) => expect(vector?.[index]).toBeCloseTo(value, 6));

  test.each(['F32', 'F16', 'I8'] as const)('of type %s is the mean of its rows', async (type) => {
    const model = await published({ embeddings: tensor(type, [16, 2], rows) });
    expect(model.spec).toMatchObject({
      dtype: { F32: 'fp32', F16: 'fp16', I8: 'int8' }[type],
      dimensions: 2,
      maxTokens: 512,
    });
    const { vectors } = await (await open(model)).embed(['hello world', 'hello']);
    expectClose(vectors[0], unit(HELLO + WORLD, 2));
    expectClose(vectors[1], unit(HELLO, 1));
  });

  test.each([
    ['F32', 'I32'],
    ['F64', 'I64'],
  ] as const)(
    'with weights (%s) and a mapping (%s) has them used by token',
    async (weightType, mappingType) => {
      const perToken = Array.from({ length: 16 }, (_, id) => (id === HELLO ? 3 : 1));
      // Every token has row 0, but for "world", which has row 1.
      const mapping = Array.from({ length: 16 }, (_, id) => (id === WORLD ? 1 : 0));
      const model = await published({
        embeddings: tensor('F32', [2, 2], [1, 0, 0, 1]),
        weights: tensor(weightType, [16], perToken),
        mapping: tensor(mappingType, [16], mapping),
      });
      const { vectors } = await (await open(model)).embed(['hello world']);
      expectClose(vectors[0], unit(3, 1));
    },
  );

  test('whose numbers are not finite gives an error, not a vector', async () => {
    const model = await published({
      embeddings: tensor(
        'F32',
        [16, 2],
        rows.map(() => NaN),
      ),
    });
    await expect((await open(model)).embed(['hello'])).rejects.toMatchObject({ code: 'EMBEDDING_INVALID' });
  });

  test.each([
    ['has no vectors', { other: tensor('F32', [16, 2], rows) }, 'no tensor "embeddings"'],
    ['has vectors of a type that is none', { embeddings: tensor('I32', [16, 2], rows) }, 'I32'],
    ['has vectors of no dimensions', { embeddings: tensor('F32', [32], rows) }, '[32]'],
  ])('that %s is refused when it is looked for', async (_, tensors, reason) => {
    await expect(published(tensors)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining(reason) as string,
    });
  });

  const embeddings = tensor('F32', [16, 2], rows);
  test.each([
    ['has fewer vectors than tokens', { embeddings: tensor('F32', [8, 2], rows.slice(0, 16)) }, '16 tokens'],
    ['has too few weights', { embeddings, weights: tensor('F32', [3], [1, 1, 1]) }, '3 weights for 16'],
    [
      'maps to rows that are not there',
      { embeddings, mapping: tensor('I32', [16], Array(16).fill(16)) },
      'beyond',
    ],
  ])('that %s is refused when it is loaded', async (_, tensors, reason) => {
    await expect(createEmbedder(await published(tensors))).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining(reason) as string,
    });
  });

  test('in a file that is cut off or no safetensors at all is refused by name', async () => {
    const model = await published({ embeddings });
    const whole = await readFile(model.weightsFile);
    const garbage = [
      whole.subarray(0, 4),
      whole.subarray(0, -4),
      Buffer.alloc(64, 0xff),
      Buffer.from('x'.repeat(64)),
    ];
    for (const bytes of garbage) {
      await writeFile(model.weightsFile, bytes);
      await expect(resolve('potion', model.modelsDirectory)).rejects.toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringContaining(model.weightsFile) as string,
      });
    }
  });

  test('has one dtype, and no other', async () => {
    const model = await published({ embeddings });
    expect((await resolve('potion', model.modelsDirectory, 'fp32')).spec).toEqual(model.spec);
    await expect(resolve('potion', model.modelsDirectory, 'q8')).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('holds fp32, not q8') as string,
    });
  });
});

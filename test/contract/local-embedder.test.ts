import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DEFAULT_MODEL_ID, loadTokenCounter, resolveModel } from '@embedline/core';
import { createLocalEmbedder } from '../../packages/core/src/embedder/local-embedder.ts';

const models = fileURLToPath(new URL('../../models', import.meta.url));
const model = await resolveModel({
  id: DEFAULT_MODEL_ID,
  modelsDirectory: models,
  dataDirectory: '/nonexistent',
});
const warnings: string[] = [];
const embedder = await createLocalEmbedder({ model, processes: 1, onWarning: (text) => warnings.push(text) });
const another = await createLocalEmbedder({ model, processes: 1 });
afterAll(() => Promise.all([embedder.close(), another.close()]));

const goldenSchema = z.object({
  items: z.array(z.object({ text: z.string(), tokens: z.number(), vector: z.array(z.number()) })),
});
const golden = goldenSchema.parse(JSON.parse(await readFile(`${models}/golden.json`, 'utf8'))).items;
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

describe('the model that ships', () => {
  test('reproduces the reference vectors and token counts', async () => {
    const { vectors, tokens } = await embedder.embed(golden.map(({ text }) => text));
    const cosines = golden.map(({ vector }, index) => dot(vector, vectors[index] ?? []));
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.997);
    expect(cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length).toBeGreaterThanOrEqual(0.998);
    expect(tokens).toEqual(golden.map((item) => item.tokens));
  });

  test('gives a text the same bits alone, among others and in another process', async () => {
    expect(warnings).toEqual([]);
    const words = fc.constantFrom(
      'alpha',
      'beta',
      'ocean',
      '42',
      'naïve',
      '東京',
      '—',
      'lorem',
      'ipsum',
      '😀',
    );
    const text = fc.array(words, { minLength: 1, maxLength: 40 }).map((parts) => parts.join(' '));
    await fc.assert(
      fc.asyncProperty(text, fc.array(text, { minLength: 63, maxLength: 63 }), async (wanted, company) => {
        const [alone, together, elsewhere] = await Promise.all([
          embedder.embed([wanted]),
          embedder.embed([...company.slice(0, 31), wanted, ...company.slice(31)]),
          another.embed([...company.slice(0, 9), wanted]),
        ]);
        expect(together.vectors[31]).toEqual(alone.vectors[0]);
        expect(elsewhere.vectors[9]).toEqual(alone.vectors[0]);
      }),
      { numRuns: 6 },
    );
  });

  test('counts tokens as the model sees them', async () => {
    const counter = await loadTokenCounter(model);
    const texts = golden.filter(({ tokens }) => tokens < 256);
    expect(texts.map(({ text }) => counter.count(text) + counter.specialTokens)).toEqual(
      texts.map(({ tokens }) => tokens),
    );
  });

  test('cuts a text at its longest input, and says how long it was taken', async () => {
    const long = 'word '.repeat(2000);
    const { tokens, vectors, truncated } = await embedder.embed([long, 'word '.repeat(254).trim()]);
    expect(tokens).toEqual([256, 256]);
    expect(truncated).toEqual([true, false]);
    expect(vectors[0]).toEqual(vectors[1]);
  });
});

describe('the inference processes', () => {
  test('a killed one costs a retry, not the call', async () => {
    const victim = await createLocalEmbedder({ model, processes: 1 });
    const call = victim.embed(golden.map(({ text }) => text));
    for (const pid of victim.processIds) process.kill(pid, 'SIGKILL');
    expect((await call).vectors).toHaveLength(golden.length);
    await victim.close();
  });

  test('an aborted call is rejected with the reason; others go on', async () => {
    const controller = new AbortController();
    const aborted = embedder.embed(['x '.repeat(200)], { signal: controller.signal });
    const other = embedder.embed(['hello world']);
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    expect((await other).tokens).toEqual([4]);
  });

  test('nothing answers after close', async () => {
    const closed = await createLocalEmbedder({ model, processes: 1 });
    const pending = expect(closed.embed(['x '.repeat(250)])).rejects.toMatchObject({ code: 'CLOSED' });
    await closed.close();
    await closed.close();
    await pending;
    await expect(closed.embed(['x'])).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('equal texts in one call are embedded once and all answered', async () => {
    const { vectors, tokens } = await embedder.embed(['same', 'other', 'same']);
    expect(vectors[0]).toEqual(vectors[2]);
    expect(tokens[0]).toBe(tokens[2]);
    expect(vectors[1]).not.toEqual(vectors[0]);
    expect(await embedder.embed([])).toEqual({ vectors: [], tokens: [], truncated: [] });
  });
});

describe('model files', () => {
  test('what is missing or wrong is named', async () => {
    const resolve = (id: string, dtype?: string) =>
      resolveModel({ id, dtype, modelsDirectory: models, dataDirectory: '/nonexistent' });
    await expect(resolve('no/such-model')).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: expect.stringContaining('EMBEDLINE_MODELS') as string,
    });
    await expect(resolve('../../etc')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    await expect(resolve(DEFAULT_MODEL_ID, 'int4x')).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('no dtype "int4x"') as string,
    });
    await expect(resolve(DEFAULT_MODEL_ID, 'fp32')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });
});

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  createEmbedder,
  DEFAULT_MODEL_ID,
  examineCanaries,
  listInstructionSets,
  readReferences,
  resolveModel,
  type Embedder,
} from '@embedline/core';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';

const modelsDirectory = fileURLToPath(new URL('../../models', import.meta.url));
const model = await resolveModel({
  id: DEFAULT_MODEL_ID,
  engine: 'kernel',
  modelsDirectory,
  dataDirectory: '/nonexistent',
});
const [fastest] = listInstructionSets().flatMap(({ name, usable }) => (usable ? [name] : []));
const warnings: string[] = [];
const open = (instructionSet = fastest) =>
  createEmbedder(model, { processes: 1, instructionSet, onWarning: (text) => warnings.push(text) });
// Loading checks the canaries: on each of these to the bit.
const [embedder, another, portable] = await Promise.all([open(), open(), open('wasm-simd')]);
afterAll(() => Promise.all([embedder, another, portable].map((opened) => opened.close())));

const goldenSchema = z.object({
  items: z.array(z.object({ text: z.string(), tokens: z.number(), vector: z.array(z.number()) })),
});
const golden = goldenSchema.parse(JSON.parse(await readFile(`${modelsDirectory}/golden.json`, 'utf8'))).items;
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

test('the kernel gives the model that ships the vectors and token counts of its references (issue 15, 4)', async () => {
  const { vectors, tokens } = await embedder.embed(golden.map(({ text }) => text));
  const cosines = golden.map(({ vector }, index) => dot(vector, vectors[index] ?? []));
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.997);
  expect(cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length).toBeGreaterThanOrEqual(0.998);
  expect(tokens).toEqual(golden.map((item) => item.tokens));
});

test('a text has the same bits alone, in company of any lengths, in another process and on another instruction set', async () => {
  const words = fc.constantFrom('alpha', 'beta', 'ocean', '42', 'naïve', '東京', '—', 'lorem', '😀');
  const text = fc.array(words, { minLength: 1, maxLength: 40 }).map((parts) => parts.join(' '));
  await fc.assert(
    fc.asyncProperty(text, fc.array(text, { minLength: 20, maxLength: 40 }), async (wanted, company) => {
      const [alone, together, elsewhere] = await Promise.all([
        embedder.embed([wanted]),
        another.embed([...company, wanted]),
        portable.embed([company[0] ?? '', wanted, company[1] ?? '']),
      ]);
      expect(together.vectors.at(-1)).toEqual(alone.vectors[0]);
      expect(elsewhere.vectors[1]).toEqual(alone.vectors[0]);
    }),
    { numRuns: 5 },
  );
  expect(warnings).toEqual([]);
});

test('canaries under the kernel must have the bits of every other machine, and the remedy names onnxruntime', async () => {
  const references = (await readReferences(model.spec, modelsDirectory)) ?? [];
  expect(await examineCanaries(embedder, references)).toMatchObject({
    verdict: 'ok',
    found: expect.stringContaining('the same bits as on every machine') as string,
  });
  const oneBitOff: Embedder = {
    ...embedder,
    model: model.spec,
    embed: async (texts, options) => {
      const answer = await embedder.embed(texts, options);
      const vectors = answer.vectors.map((vector) => vector.slice());
      // The last bit of one number: the cosine does not show it.
      for (const vector of vectors)
        new Uint8Array(vector.buffer).subarray(28, 29).forEach((byte, at, bytes) => (bytes[at] = byte ^ 1));
      return { ...answer, vectors };
    },
  };
  expect(await examineCanaries(oneBitOff, references)).toMatchObject({
    verdict: 'problem',
    found: expect.stringContaining('other bits on this machine than on others') as string,
    remedy: expect.stringContaining('--engine onnxruntime') as string,
  });
});

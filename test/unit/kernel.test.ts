import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  encodeWeights,
  KernelError,
  listInstructionSets,
  openKernel,
  packWeights,
  readHeader,
  verifyChecksum,
  weightsFromOnnx,
  type PackedWeights,
} from '@embedline/kernel';
import { loadTokenizer } from '../../packages/core/src/embedder/tokenizer.ts';
import { KernelReference } from '../support/kernel-reference.ts';
import { randomNumbers, randomWeights, SMALL } from '../support/kernel-model.ts';

const usable = listInstructionSets().flatMap(({ name, usable }) => (usable ? [name] : []));
const models = fileURLToPath(new URL('../../models', import.meta.url));
const model = `${models}/sentence-transformers/all-MiniLM-L6-v2`;
const bits = (vectors: Float32Array) => createHash('sha256').update(vectors).digest('hex');

/** Random texts of these lengths. */
function textsOf(lengths: readonly number[], vocabulary: number, seed = 1) {
  const random = randomNumbers(seed);
  return lengths.map((length) => Int32Array.from({ length }, () => Math.floor(random() * vocabulary)));
}

async function embed(
  weights: Uint8Array | PackedWeights,
  texts: readonly Int32Array[],
  instructionSet: string,
) {
  const kernel = await openKernel({ weights, instructionSet });
  const out = new Float32Array(texts.length * kernel.dimensions);
  const ids = Int32Array.from(texts.flatMap((text) => [...text]));
  kernel.embed(
    ids,
    Int32Array.from(texts, ({ length }) => length),
    out,
  );
  kernel.close();
  return out;
}

describe('kernel: one arithmetic', () => {
  const lengths = [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 128, 5, 12, 13];
  const shapes = {
    'heads of 32': SMALL,
    'heads of 64, tanh': { ...SMALL, heads: 2, activation: 'gelu-tanh' },
    'one head of 128, first token': { ...SMALL, heads: 1, pooling: 'cls' },
    'heads of 96, offset positions': {
      ...SMALL,
      family: 'roberta',
      hidden: 192,
      heads: 2,
      positionOffset: 2,
    },
  } as const;

  test.each(Object.entries(shapes))('every instruction set gives the same bits: %s', async (_, header) => {
    const weights = await packWeights(randomWeights(header));
    const texts = textsOf(lengths, header.vocabulary);
    const found = await Promise.all(
      usable.map(async (name) => [name, bits(await embed(weights, texts, name))] as const),
    );
    expect(new Set(found.map(([, hash]) => hash)).size, JSON.stringify(found)).toBe(1);
  });

  test.each(Object.entries(shapes))('ARITHMETIC.md alone gives the same bits: %s', async (_, header) => {
    const weights = randomWeights(header, 7);
    const texts = textsOf([2, 18], header.vocabulary, 7);
    const reference = new KernelReference(weights);
    const wanted = Float32Array.from(texts.flatMap((text) => [...reference.embed(text)]));
    expect(await embed(weights, texts, usable[0] ?? 'wasm-simd')).toEqual(wanted);
  });

  test.each(usable)('%s gives a text the same bits alone and in any company', async (name) => {
    const weights = await packWeights(randomWeights(SMALL));
    const texts = textsOf(lengths, SMALL.vocabulary);
    const together = await embed(weights, texts, name);
    for (const [index, text] of texts.entries()) {
      const alone = await embed(weights, [text], name);
      expect(bits(alone)).toBe(bits(together.slice(index * SMALL.hidden, (index + 1) * SMALL.hidden)));
    }
  });

  test('worker threads share packed weights, and give the same bits', async () => {
    const weights = await packWeights(randomWeights(SMALL));
    const [text = new Int32Array()] = textsOf([40], SMALL.vocabulary);
    const file = new URL('../support/kernel-worker.ts', import.meta.url);
    const embedThere = () =>
      new Promise<Float32Array>((resolve, reject) => {
        const worker = new Worker(file, { workerData: { weights, text }, execArgv: [] });
        worker.once('message', resolve).once('error', reject);
      });
    const wanted = await embed(weights, [text], usable[0] ?? 'wasm-simd');
    expect(await Promise.all([embedThere(), embedThere()])).toEqual([wanted, wanted]);
  });

  test('the longest texts stay exact', async () => {
    const weights = await packWeights(randomWeights({ ...SMALL, layers: 1 }));
    const texts = textsOf([512, 511], SMALL.vocabulary);
    const [first, ...others] = await Promise.all(
      usable.map(async (name) => bits(await embed(weights, texts, name))),
    );
    for (const other of others) expect(other).toBe(first);
  });
});

describe('kernel: the model that ships', () => {
  const golden = z
    .object({ items: z.array(z.object({ text: z.string(), vector: z.array(z.number()) })) })
    .parse(JSON.parse(readFileSync(`${models}/golden.json`, 'utf8'))).items;
  let weights: PackedWeights;
  let texts: Int32Array[];
  beforeAll(async () => {
    weights = await packWeights(weightsFromOnnx(readFileSync(`${model}/onnx/model_quantized.onnx`)));
    const tokenizer = await loadTokenizer(model);
    texts = golden.map(({ text }) => Int32Array.from(tokenizer.encode(text, 256).ids));
  });

  test('golden texts are as close to fp32 as the issue asks', async () => {
    const vectors = await embed(weights, texts, usable[0] ?? 'wasm-simd');
    const cosines = golden.map(({ vector }, index) =>
      cosine(vector, vectors.subarray(384 * index, 384 * (index + 1))),
    );
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.9977);
    expect(cosines.reduce((sum, value) => sum + value, 0) / cosines.length).toBeGreaterThanOrEqual(0.9988);
  });

  test('every fast instruction set gives its texts the same bits', async () => {
    const fast = usable.filter((name) => name !== 'plain');
    const [first, ...others] = await Promise.all(
      fast.map(async (name) => bits(await embed(weights, texts.slice(0, 12), name))),
    );
    for (const other of others) expect(other).toBe(first);
  });

  test('ARITHMETIC.md alone gives one of its texts the same bits', async () => {
    const text = texts.find(({ length }) => length <= 4) ?? new Int32Array();
    const file = weightsFromOnnx(readFileSync(`${model}/onnx/model_quantized.onnx`));
    expect(new KernelReference(file).embed(text)).toEqual(
      await embed(weights, [text], usable[0] ?? 'wasm-simd'),
    );
  });
});

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from(x).reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe('kernel: hostile weights', () => {
  const good = randomWeights(SMALL);
  const damaged = (change: (bytes: DataView) => void) => {
    const copy = good.slice();
    change(new DataView(copy.buffer));
    return copy;
  };
  test.each([
    ['nothing', new Uint8Array()],
    ['a header alone', good.slice(0, 128)],
    ['a file cut off', good.slice(0, -64)],
    ['a file with bytes too many', new Uint8Array([...good, ...new Uint8Array(64)])],
    ['another magic', damaged((view) => view.setUint32(0, 1, true))],
    ['a newer format', damaged((view) => view.setUint32(4, 2, true))],
    ['another arithmetic', damaged((view) => view.setUint32(8, 9, true))],
    ['an unknown family', damaged((view) => view.setUint32(12, 4, true))],
    ['no layers', damaged((view) => view.setUint32(16, 0, true))],
    ['layers without end', damaged((view) => view.setUint32(16, 0xffffffff, true))],
    ['an odd width', damaged((view) => view.setUint32(20, 100, true))],
    ['no heads', damaged((view) => view.setUint32(24, 0, true))],
    ['heads of 16', damaged((view) => view.setUint32(24, 8, true))],
    ['a vocabulary that is too large for the file', damaged((view) => view.setUint32(32, 1 << 20, true))],
    ['positions behind the table', damaged((view) => view.setUint32(40, 600, true))],
    ['an epsilon that is not a number', damaged((view) => view.setFloat32(48, Number.NaN, true))],
    ['no shift', damaged((view) => view.setFloat32(52, 0, true))],
    ['something in a reserved place', damaged((view) => view.setUint32(60, 1, true))],
    ['another length', damaged((view) => view.setBigUint64(64, 1n << 60n, true))],
    ['a scale that is infinite', damaged((view) => view.setFloat32(128 + 50 * 128, Infinity, true))],
  ])('%s is refused', async (_, file) => {
    await expect(packWeights(file)).rejects.toMatchObject({ code: 'WEIGHTS_INVALID' });
  });

  test('a weight outside -64 to 64 is refused', async () => {
    const file = encodeWeights(SMALL, ({ type, shape: [rows, columns = 1] }) =>
      new Uint8Array(rows * columns * (type === 'int8' ? 1 : 4)).fill(type === 'int8' ? 65 : 0),
    );
    await expect(packWeights(file)).rejects.toThrow('outside -64 to 64');
  });

  test('a stored file is compared with its checksum', () => {
    expect(() => verifyChecksum(good)).not.toThrow();
    const changed = good.slice();
    changed[good.length - 1] = 1 - (changed[good.length - 1] ?? 0);
    expect(() => verifyChecksum(changed)).toThrow(KernelError);
    expect(readHeader(good)).toMatchObject({
      ...SMALL,
      normEpsilon: Math.fround(1e-12),
      activationShift: Math.fround(0.17),
    });
  });

  test('an ONNX file that is cut off or of another kind is refused', () => {
    const file = readFileSync(`${model}/onnx/model_quantized.onnx`);
    expect(() => weightsFromOnnx(file.subarray(0, 1000))).toThrow(KernelError);
    expect(() => weightsFromOnnx(new Uint8Array())).toThrow(KernelError);
    expect(() => weightsFromOnnx(Buffer.from('no protobuf at all'))).toThrow(KernelError);
  });
});

describe('kernel: wrong calls', () => {
  test.each(usable)('%s refuses them with the reason, and goes on', async (name) => {
    const kernel = await openKernel({
      weights: randomWeights({ ...SMALL, positions: 20 }),
      instructionSet: name,
    });
    expect(kernel).toMatchObject({ dimensions: 128, maxTokens: 20, vocabularySize: 50 });
    const call = (ids: number[], lengths: number[], numbers = lengths.length * 128) =>
      kernel.embed(Int32Array.from(ids), Int32Array.from(lengths), new Float32Array(numbers));
    expect(() => call([50], [1])).toThrow('token id 50 is not one of 0 to 49');
    expect(() => call([-1], [1])).toThrow('token id -1');
    expect(() => call([1], [0])).toThrow('text 0 has 0 tokens');
    expect(() => call([1], [-1])).toThrow('text 0 has -1 tokens');
    expect(() =>
      call(
        Array.from({ length: 21 }, () => 1),
        [21],
      ),
    ).toThrow('1 to 20 are possible');
    expect(() => call([1, 2], [1])).toThrow('add up to 1');
    expect(() => call([1], [1, 1])).toThrow('add up to 2');
    expect(() => call([1], [1], 127)).toThrow('127 numbers instead of 128');
    expect(() => call([], [])).not.toThrow();
    expect(() => call([1, 2, 3], [1, 2])).not.toThrow();
    const shared = new Int32Array(new SharedArrayBuffer(4)).fill(50);
    expect(() => kernel.embed(shared, Int32Array.of(1), new Float32Array(128))).toThrow('token id 50');
    kernel.embed(shared.fill(49), Int32Array.of(1), new Float32Array(128));
    kernel.close();
    kernel.close();
    expect(() => call([1], [1])).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  test('an instruction set that is unknown, or not of this machine, is an error and no fallback', async () => {
    const open = (instructionSet: string) => openKernel({ weights: randomWeights(SMALL), instructionSet });
    await expect(open('mmx')).rejects.toMatchObject({ code: 'INSTRUCTION_SET_UNKNOWN' });
    await expect(open('')).rejects.toMatchObject({ code: 'INSTRUCTION_SET_UNKNOWN' });
    const missing = listInstructionSets().find(({ usable }) => !usable);
    if (missing !== undefined)
      await expect(open(missing.name)).rejects.toMatchObject({ code: 'INSTRUCTION_SET_UNUSABLE' });
  });
});

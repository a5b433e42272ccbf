import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  DEFAULT_MODEL_ID,
  engineSettings,
  listInstructionSets,
  loadConfig,
  resolveModel,
  sameModel,
  withEngine,
  type Generation,
  type ModelSpec,
} from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { chooseEngine } from '../../apps/producer/src/pipeline/choose-engine.ts';
import { engineOf } from '../../packages/core/src/embedder/engine/engine-identity.ts';
import { storedModelSpecSchema } from '../../packages/core/src/embedder/model-spec.ts';
import { MANIFEST } from '../support/points.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const MODELS = fileURLToPath(new URL('../../models', import.meta.url));
const TINY = fileURLToPath(new URL('../fixtures/tiny-models', import.meta.url));
const resolve = (id: string, modelsDirectory: string) =>
  resolveModel({ id, modelsDirectory, dataDirectory: '/nonexistent' });
const shipped = await resolve(DEFAULT_MODEL_ID, MODELS);
const kernel = withEngine(shipped, 'kernel');
const tiny = await resolve('steady', TINY);

/** As every version before the kernel wrote it. */
function withoutEngine({ engine: _engine, ...spec }: ModelSpec): ModelSpec {
  return spec;
}

describe('the engine in the identity of a model', () => {
  test('under onnxruntime a model keeps the hash that it always had, with and without the name of its engine', () => {
    expect(shipped.spec).toMatchObject({
      engine: 'onnxruntime',
      hash: 'f3f30757986de5e98c25eb5f147ba0920cc178767585771f09f7f3ea094d1ed2',
    });
    expect(sameModel(shipped.spec, withoutEngine(shipped.spec))).toBe(true);
  });

  test('the kernel makes it another model, also for a program that knows nothing of engines', () => {
    expect(kernel.spec).toMatchObject({ engine: 'kernel', arithmeticVersion: 1, id: shipped.spec.id });
    expect(kernel.spec.hash).not.toBe(shipped.spec.hash);
    expect(kernel.filesHash).toBe(shipped.filesHash);
    expect(sameModel(kernel.spec, shipped.spec)).toBe(false);
    expect(sameModel(kernel.spec, { ...shipped.spec, hash: kernel.spec.hash })).toBe(false);
    expect(sameModel(kernel.spec, { ...kernel.spec, arithmeticVersion: 2 })).toBe(false);
    expect(withEngine(kernel, 'onnxruntime')).toEqual(shipped);
  });

  test('is read back from stores and Redis, and refused by name where this version does not have it', () => {
    for (const { spec } of [shipped, kernel]) expect(storedModelSpecSchema.parse(spec)).toEqual(spec);
    expect(engineOf(withoutEngine(shipped.spec))).toBeUndefined();
    expect(engineOf(kernel.spec)).toBe('kernel');
    const later = storedModelSpecSchema.parse({ ...kernel.spec, engine: 'tensor-cores' });
    expect(() => engineOf(later)).toThrow(/"tensor-cores", which this version of embedline does not have/);
    for (const arithmeticVersion of [2, undefined])
      expect(() => engineOf({ ...kernel.spec, arithmeticVersion } as ModelSpec)).toThrow(
        /arithmetic (2|unknown) of the kernel, and this version of embedline has arithmetic 1/,
      );
    for (const forged of [{ engine: '../kernel' }, { engine: '' }, { arithmeticVersion: 0 }])
      expect(storedModelSpecSchema.safeParse({ ...kernel.spec, ...forged }).success).toBe(false);
  });
});

describe('the engine of a collection', () => {
  let number = 0;
  const generation = (model: ModelSpec, live: boolean): Generation => ({
    collection: 'docs',
    name: `docs--g${(number += 1)}`,
    identity: '00000000-0000-4000-8000-000000000000',
    number,
    live,
    manifest: { ...MANIFEST, model },
  });
  const old = withoutEngine(shipped.spec);

  test.each<[string, readonly Generation[], string]>([
    ['a new collection', [], 'kernel'],
    ['one of a version before the kernel', [generation(old, true)], 'onnxruntime'],
    ['one of the kernel', [generation(kernel.spec, true)], 'kernel'],
    ['a first build of onnxruntime that was cut off', [generation(old, false)], 'onnxruntime'],
    [
      'one that went back to onnxruntime',
      [generation(old, true), generation(kernel.spec, false)],
      'onnxruntime',
    ],
    ['one that went over', [generation(shipped.spec, false), generation(kernel.spec, true)], 'kernel'],
    ['one that had another model', [generation(tiny.spec, true)], 'kernel'],
  ])('%s: %3$s', async (_, generations, engine) => {
    expect((await chooseEngine(shipped, 'auto', generations, true)).model.spec.engine).toBe(engine);
  });

  test('is the one that was asked for, whatever is there', async () => {
    for (const engine of ['kernel', 'onnxruntime'] as const)
      for (const generations of [[], [generation(old, true)], [generation(kernel.spec, true)]])
        expect((await chooseEngine(shipped, engine, generations, true)).model.spec.engine).toBe(engine);
  });

  test('is onnxruntime for a new collection where the kernel has no code for the CPU, and stays the kernel otherwise', async () => {
    expect(await chooseEngine(shipped, 'auto', [], false)).toMatchObject({
      model: { spec: { engine: 'onnxruntime' } },
      whyNotKernel: expect.stringContaining('WebAssembly') as string,
    });
    const there = await chooseEngine(shipped, 'auto', [generation(kernel.spec, true)], false);
    expect(there.model.spec.engine).toBe('kernel');
    expect((await chooseEngine(shipped, 'kernel', [], false)).model.spec.engine).toBe('kernel');
  });

  test('is onnxruntime for a model that the kernel does not take, with the reason; asking for the kernel is an error', async () => {
    const directory = await temporaryDirectory();
    await cp(join(TINY, 'steady'), join(directory, 'eight'), { recursive: true });
    // 8-bit by its name alone.
    await cp(
      join(directory, 'eight', 'onnx', 'model.onnx'),
      join(directory, 'eight', 'onnx', 'model_quantized.onnx'),
    );
    for (const model of [tiny, await resolve('eight', directory)]) {
      const { model: found, whyNotKernel } = await chooseEngine(model, 'auto', [], true);
      expect(found.spec).toEqual(model.spec);
      expect(whyNotKernel).toMatch(/^the kernel does not take this model: ./);
      await expect(chooseEngine(model, 'kernel', [], true)).rejects.toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringMatching(/--engine onnxruntime, or auto/) as string,
      });
    }
  });
});

test('a static model has no engine, and asking for one is an error', async () => {
  const { engine: _engine, ...spec } = tiny.spec;
  const fast = { ...tiny, kind: 'static' as const, spec };
  expect(await chooseEngine(fast, 'auto', [], true)).toEqual({ model: fast, whyNotKernel: null });
  for (const engine of ['kernel', 'onnxruntime'] as const)
    await expect(chooseEngine(fast, engine, [], true)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('has no network for an engine') as string,
    });
});

describe('the instruction set of the kernel', () => {
  const config = (EMBEDLINE_KERNEL: string) =>
    loadConfig({ EMBEDLINE_KERNEL, EMBEDLINE_HOME: '/nonexistent' });

  test('is the fastest of this machine, or the one of EMBEDLINE_KERNEL', () => {
    const fastest = listInstructionSets().find(({ usable }) => usable);
    expect(engineSettings(kernel.spec)).toEqual({ name: 'kernel', instructionSet: fastest?.name });
    const { kernelInstructionSet: instructionSet } = config('plain');
    expect(engineSettings(kernel.spec, { instructionSet })).toMatchObject({ instructionSet: 'plain' });
    expect(engineSettings(shipped.spec, { instructionSet })).toEqual({ name: 'onnxruntime', threads: 1 });
  });

  test('that nobody knows, or that this machine cannot run, is an error and never another one', () => {
    expect(() => config('sse2')).toThrow(/EMBEDLINE_KERNEL/);
    const elsewhere = process.arch === 'x64' ? 'neon-dotprod' : 'avx2';
    const { kernelInstructionSet: instructionSet } = config(elsewhere);
    expect(() => engineSettings(kernel.spec, { instructionSet })).toThrow(
      new RegExp(
        `EMBEDLINE_KERNEL asks for ${elsewhere}, which this machine cannot run: .+take one of .*plain`,
      ),
    );
  });
});

import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveModel } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { COMMIT, startFakeHub } from '../support/fake-hub.ts';
import { modulesJson, poolingConfig, tinyModelsFolder, type FileChanges } from '../support/model-folder.ts';
import { encodeOnnx } from '../support/onnx-file.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const ID = 'owner/tiny';
const CLS: FileChanges = {
  'modules.json': modulesJson('Transformer', 'Pooling', 'Normalize'),
  '1_Pooling/config.json': poolingConfig({ pooling_mode_cls_token: true }),
  'sentence_bert_config.json': { max_seq_length: 20 },
  'config_sentence_transformers.json': { prompts: { query: 'a ', document: 'the ' } },
  'README.md': 'not needed',
  'pytorch_model.bin': 'not needed',
};

async function hubWith(changes: FileChanges) {
  const hub = await startFakeHub(ID, join(await tinyModelsFolder(changes, ID), ID));
  const dataDirectory = await temporaryDirectory();
  const modelsDirectory = join(dataDirectory, 'models');
  const options = { id: ID, revision: COMMIT, modelsDirectory, dataDirectory };
  const resolve = (more: object = {}) =>
    resolveModel({ ...options, allowRemote: true, hub: { endpoint: hub.endpoint, token: null }, ...more });
  return { hub, options, resolve, folder: join(dataDirectory, 'hub', ID, COMMIT) };
}

describe('a model of the hub (issue 13, A1)', () => {
  test('comes with every file that decides a vector, and no other', async () => {
    const { hub, resolve } = await hubWith(CLS);
    const { spec } = await resolve();
    expect(spec).toMatchObject({
      id: ID,
      revision: COMMIT,
      pooling: 'cls',
      maxTokens: 20,
      queryPrefix: 'a ',
      passagePrefix: 'the ',
    });
    expect([...hub.fetched].sort()).toEqual([
      '1_Pooling/config.json',
      'config.json',
      'config_sentence_transformers.json',
      'modules.json',
      'onnx/model.onnx',
      'sentence_bert_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
  });

  test('has the hash of the same files in a folder', async () => {
    const { resolve } = await hubWith(CLS);
    const modelsDirectory = await tinyModelsFolder(CLS, ID);
    const folder = await resolveModel({ id: ID, modelsDirectory, dataDirectory: '/nonexistent' });
    expect((await resolve()).spec.hash).toBe(folder.spec.hash);
  });

  test('is found again without the hub', async () => {
    const { hub, options, resolve } = await hubWith(CLS);
    const first = await resolve();
    const asked = hub.authorizations.length;
    expect(await resolveModel(options)).toEqual(first);
    expect(hub.authorizations).toHaveLength(asked);
  });

  test('of which another dtype is wanted fetches that, and nothing else', async () => {
    const { hub, options, resolve } = await hubWith({ ...CLS, 'onnx/model_fp16.onnx': encodeOnnx({}) });
    await resolve();
    await expect(resolveModel({ ...options, dtype: 'fp16' })).rejects.toThrow(
      /onnx\/model_fp16\.onnx.*is not in/,
    );
    const before = hub.fetched.length;
    expect((await resolve({ dtype: 'fp16' })).spec.dtype).toBe('fp16');
    expect(hub.fetched.slice(before)).toEqual(['onnx/model_fp16.onnx']);
  });

  test('comes with its external data', async () => {
    const onnx = encodeOnnx({ initializers: { table: 'model.onnx_data' } });
    const { hub, resolve } = await hubWith({
      ...CLS,
      'onnx/model.onnx': onnx,
      'onnx/model.onnx_data': 'weights',
    });
    await resolve();
    expect(hub.fetched).toContain('onnx/model.onnx_data');
  });

  test('that is not supported is refused before its weights are fetched', async () => {
    const modules = { 'modules.json': modulesJson('Transformer', 'Pooling', 'Dense') };
    const { hub, resolve } = await hubWith({ ...CLS, ...modules });
    await expect(resolve()).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('Dense') as string,
    });
    expect(hub.fetched).not.toContain('onnx/model.onnx');
  });

  test.each<[string, string, (bytes: Buffer) => Buffer, RegExp]>([
    ['changed weights', 'onnx/model.onnx', (bytes) => bytes.fill(1, 40, 50), /sha256 is .* not/],
    [
      'a changed configuration',
      '1_Pooling/config.json',
      (bytes) => bytes.fill(' ', 0, 1),
      /git-sha1 is .* not/,
    ],
    ['a download that is cut off', 'tokenizer.json', (bytes) => bytes.subarray(0, 100), /has 100 bytes, not/],
    ['a download that does not end', 'modules.json', (bytes) => Buffer.concat([bytes, bytes]), /more than/],
  ])('%s is refused, and nothing of it stays', async (_, path, change, reason) => {
    const { hub, resolve, folder } = await hubWith(CLS);
    await resolve();
    hub.instead.set(path, change(await readFile(join(folder, path))));
    await rm(join(folder, path));
    await expect(resolve()).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: expect.stringMatching(reason) as string,
    });
    await expect(access(join(folder, path))).rejects.toThrow();
    hub.instead.clear();
    await expect(resolve()).resolves.toBeDefined();
  });

  test('whose list was not kept (fetched by an earlier version) is asked for again', async () => {
    const { hub, resolve, folder } = await hubWith(CLS);
    const { spec } = await resolve();
    await writeFile(join(folder, 'hub-files.json'), '{}');
    await rm(join(folder, '1_Pooling'), { recursive: true });
    const before = hub.fetched.length;
    expect((await resolve()).spec).toEqual(spec);
    expect(hub.fetched.slice(before)).toEqual(['1_Pooling/config.json']);
  });

  test('a token goes to the hub', async () => {
    const { hub, resolve } = await hubWith(CLS);
    await resolve({ hub: { endpoint: hub.endpoint, token: 'hf_secret' } });
    expect(hub.authorizations[0]).toBe('Bearer hf_secret');
  });

  test('that does not exist, has no such commit, or cannot be reached is said to be so', async () => {
    const { resolve } = await hubWith(CLS);
    await expect(resolve({ id: 'owner/other' })).rejects.toThrow(/did not list.*404/);
    await expect(resolve({ revision: 'b'.repeat(40) })).rejects.toThrow(/did not list.*404/);
    await expect(resolve({ revision: 'main' })).rejects.toThrow(/only by its commit/);
    const nowhere = { endpoint: 'http://127.0.0.1:9', token: null };
    await expect(resolve({ hub: nowhere })).rejects.toThrow(/did not list/);
  });

  test('ends when it is told to', async () => {
    const { resolve } = await hubWith(CLS);
    await expect(resolve({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});

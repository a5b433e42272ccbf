import { join } from 'node:path';
import { resolveModel } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { resolveTiny as resolve, SHIPPED, wholeModel as whole } from '../support/model-folder.ts';
import { encodeOnnx } from '../support/onnx-file.ts';

describe('what is missing in a folder is said (issue 13, E18)', () => {
  test('Optimum’s flat layout is taken', async () => {
    const onnx = encodeOnnx({
      outputs: [{ name: 'token_embeddings', shape: ['b', 't', 8] }, { name: 'sentence_embedding' }],
    });
    const flat = await resolve({ 'onnx/model.onnx': null, 'model.onnx': onnx });
    expect(flat.spec).toMatchObject({ dtype: 'fp32', dimensions: 8 });
    expect(flat.weightsFile).toMatch(/tiny\/model\.onnx$/);
    const quantized = await resolve({
      'onnx/model.onnx': null,
      'model_quantized.onnx': onnx,
      'model.onnx': onnx,
    });
    expect(quantized.spec.dtype).toBe('q8');
  });

  test('a tokenizer.json, with the way to write one', async () => {
    await expect(resolve({ 'tokenizer.json': null, 'vocab.txt': 'a' })).rejects.toThrow(
      /no tokenizer\.json.*save_pretrained/,
    );
  });

  test('a config.json, weights, and the dimensions', async () => {
    await expect(resolve({ 'config.json': null })).rejects.toThrow(/has no config\.json/);
    await expect(resolve({ 'onnx/model.onnx': null })).rejects.toThrow(
      /none of .*onnx\/model\.onnx.*is there/,
    );
    const config = { 'config.json': { model_type: 'other' }, '1_Pooling/config.json': null };
    await expect(resolve(config)).rejects.toThrow(/neither hidden_size nor dim/);
    await expect(resolve({ 'config.json': '{' })).rejects.toThrow(/config\.json in .* \(it is not JSON\)/);
  });

  test('DistilBERT’s name for its dimensions is known', async () => {
    const config = { model_type: 'distilbert', dim: 8, max_position_embeddings: 32 };
    expect((await resolve(whole({ 'config.json': config }))).spec.dimensions).toBe(8);
  });

  test('a name without an owner: which models are here, and which was meant', async () => {
    const options = {
      dataDirectory: '/nonexistent',
      modelsDirectory: join(SHIPPED, '../..'),
      allowRemote: true,
    };
    await expect(resolveModel({ ...options, id: 'all-MiniLM-L6-v2' })).rejects.toThrow(
      /Do you mean sentence-transformers\/all-MiniLM-L6-v2\?/,
    );
    await expect(resolveModel({ ...options, id: 'minilm' })).rejects.toThrow(
      /no model "minilm" in .*has sentence-transformers\/all-MiniLM-L6-v2.*owner/,
    );
    await expect(resolveModel({ ...options, id: './nowhere' })).rejects.toThrow(/nowhere is not there/);
  });

  test.each([
    ['e5-small-v2', /E5 family.*"query: ".*"passage: "/],
    ['nomic-embed-text-v1.5', /Nomic Embed family.*search_document/],
    ['bge-small-en-v1.5', /BGE family.*Represent this sentence/],
  ])('%s is known for prompts that its files do not have', async (id, warning) => {
    const none = { 'config_sentence_transformers.json': null };
    expect((await resolve(whole(none), {}, id)).warnings.join()).toMatch(warning);
    expect((await resolve(whole(), {}, id)).warnings).toEqual([]);
    const config = { hidden_size: 8, max_position_embeddings: 32, _name_or_path: `owner/${id}` };
    expect((await resolve(whole({ ...none, 'config.json': config }))).warnings.join()).toMatch(warning);
  });

  test('prompts of which none is for queries or passages', async () => {
    const prompts = { prompts: { s2p_query: 'Instruct: ' } };
    const { warnings } = await resolve(whole({ 'config_sentence_transformers.json': prompts }));
    expect(warnings.join()).toMatch(/s2p_query.*none named query, document or passage/);
  });
});

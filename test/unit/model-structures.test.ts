import { join } from 'node:path';
import { resolveModel } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import {
  modulesJson,
  poolingConfig,
  resolveTiny as resolve,
  SHIPPED,
  tinyModelsFolder,
  wholeModel as whole,
  type FileChanges,
} from '../support/model-folder.ts';
import { encodeOnnx } from '../support/onnx-file.ts';

const pooling = (modes: Readonly<Record<string, unknown>>) =>
  whole({ '1_Pooling/config.json': poolingConfig(modes) });
const modules = (...names: string[]) => whole({ 'modules.json': modulesJson(...names) });
const weights = (file: Parameters<typeof encodeOnnx>[0]) => whole({ 'onnx/model.onnx': encodeOnnx(file) });

describe('a model whose vectors would be others here is refused by name (issue 13, A1)', () => {
  test.each<[string, FileChanges, RegExp]>([
    ['last token pooling', pooling({ pooling_mode_lasttoken: true }), /lasttoken pooling/],
    ['max pooling', pooling({ pooling_mode_max_tokens: true }), /max pooling/],
    ['weighted mean pooling', pooling({ pooling_mode_weightedmean_tokens: true }), /weightedmean pooling/],
    [
      'mean over the root of the length',
      pooling({ pooling_mode_mean_sqrt_len_tokens: true }),
      /mean_sqrt_len pooling/,
    ],
    ['pooling by name', pooling({ pooling_mode: 'lasttoken' }), /lasttoken pooling/],
    [
      'two modes',
      pooling({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: true }),
      /several pooling modes.*mean, cls/,
    ],
    ['no mode', pooling({}), /no pooling mode/],
    [
      'a mode besides the mean, which is the default',
      pooling({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: undefined }),
      /several pooling modes.*mean, cls/,
    ],
    ['a flag that is text', pooling({ pooling_mode_cls_token: 'true' }), /pooling_mode_cls_token: "true"/],
    [
      'a prompt by default that is not there',
      whole({
        'config_sentence_transformers.json': { prompts: { query: 'q ' }, default_prompt_name: 'other' },
      }),
      /default_prompt_name "other"/,
    ],
    ['a mode of the future', pooling({ pooling_mode_attention_tokens: true }), /attention pooling/],
    [
      'prompts left out',
      pooling({ pooling_mode_mean_tokens: true, include_prompt: false }),
      /include_prompt: false/,
    ],
    ['a Dense module', modules('Transformer', 'Pooling', 'Dense', 'Normalize'), /has a Dense module/],
    ['a LayerNorm module', modules('Transformer', 'Pooling', 'LayerNorm'), /has a LayerNorm module/],
    ['a CNN module', modules('Transformer', 'CNN', 'Pooling'), /has a CNN module/],
    ['word embeddings', modules('WordEmbeddings', 'Pooling'), /has a WordEmbeddings module/],
    ['another order', modules('Transformer', 'Normalize', 'Pooling'), /Transformer, Normalize, Pooling, not/],
    ['no pooling', modules('Transformer', 'Normalize'), /Transformer, Normalize, not/],
    [
      'code of its own',
      whole({ 'modules.json': [{ path: '', type: 'custom_st.Transformer' }] }),
      /custom_st\.Transformer.*code of its own/,
    ],
    [
      'a Dense folder without modules.json',
      { '2_Dense/config.json': {} },
      /module 2_Dense and no modules\.json/,
    ],
    [
      'a pooling that is not there',
      { ...modules('Transformer', 'Pooling'), '1_Pooling/config.json': null },
      /names 1_Pooling/,
    ],
    [
      'other dimensions than its pooling',
      pooling({ pooling_mode_mean_tokens: true, word_embedding_dimension: 16 }),
      /8 dimensions and.* 16/,
    ],
    [
      'lowercasing',
      whole({ 'sentence_bert_config.json': { max_seq_length: 20, do_lower_case: true } }),
      /do_lower_case: true/,
    ],
    [
      'padding on the left',
      whole({ 'tokenizer_config.json': { padding_side: 'left' } }),
      /padding on the left/,
    ],
    [
      'truncation on the left',
      whole({ 'tokenizer_config.json': { truncation_side: 'left' } }),
      /truncation on the left/,
    ],
    [
      'a product that lengths decide',
      {
        ...modules('Transformer', 'Pooling'),
        'config_sentence_transformers.json': { similarity_fn_name: 'dot' },
      },
      /compared by dot/,
    ],
    [
      'an input of decoders',
      weights({ inputs: [{ name: 'input_ids', type: 7 }, { name: 'past_key_values.0.key' }] }),
      /"past_key_values\.0\.key"/,
    ],
    [
      'an input of other numbers',
      weights({ inputs: [{ name: 'input_ids', type: 6 }] }),
      /"input_ids" that is not of 64-bit/,
    ],
    [
      'an input of a fixed size',
      weights({ inputs: [{ name: 'input_ids', type: 7, shape: [1, 128] }] }),
      /fixed size \(1, 128\)/,
    ],
    [
      'no input for tokens',
      weights({ inputs: [{ name: 'attention_mask', type: 7 }] }),
      /no input "input_ids"/,
    ],
    [
      'sentence vectors only',
      weights({ outputs: [{ name: 'sentence_embedding', shape: ['batch', 8] }] }),
      /sentence_embedding, and no "last_hidden_state"/,
    ],
    [
      'half precision',
      weights({ outputs: [{ name: 'last_hidden_state', type: 10 }] }),
      /other numbers than 32-bit floats/,
    ],
    [
      'states of other dimensions',
      weights({ outputs: [{ name: 'last_hidden_state', shape: ['b', 't', 16] }] }),
      /\[\?, \?, 16\], not/,
    ],
    [
      'weights outside of its folder',
      weights({ initializers: { w: '../../../etc/passwd' } }),
      /outside of its folder/,
    ],
    [
      'weights that are not ONNX',
      whole({ 'onnx/model.onnx': 'version https://git-lfs.github.com/spec/v1' }),
      /cannot be read as ONNX/,
    ],
  ])('%s', async (_, changes, reason) => {
    await expect(resolve(changes)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(reason) as string,
    });
  });

  test('a folder that says nothing of pooling, of a family that does not take the mean', async () => {
    const silent = { '1_Pooling/config.json': null };
    await expect(resolve(silent, {}, 'bge-small-en-v1.5')).rejects.toThrow(/BGE family do it by cls pooling/);
    const named = {
      ...silent,
      'config.json': { hidden_size: 8, _name_or_path: 'Qwen/Qwen3-Embedding-0.6B' },
    };
    await expect(resolve(named)).rejects.toThrow(/Qwen3 Embedding family do it by lasttoken pooling/);
  });
});

describe('a model is used as its files say', () => {
  test('CLS pooling, limits and prompts', async () => {
    const { spec, warnings } = await resolve(
      whole({
        '1_Pooling/config.json': poolingConfig({ pooling_mode_cls_token: true }),
        'sentence_bert_config.json': { max_seq_length: 20, do_lower_case: false },
        'config_sentence_transformers.json': {
          prompts: { query: 'a ', document: 'the ' },
          similarity_fn_name: 'cosine',
        },
      }),
    );
    expect(spec).toMatchObject({
      pooling: 'cls',
      maxTokens: 20,
      queryPrefix: 'a ',
      passagePrefix: 'the ',
      dimensions: 8,
    });
    expect(warnings).toEqual([]);
  });

  test('pooling by name, and class names of other versions of sentence-transformers', async () => {
    const { spec } = await resolve({
      'modules.json': [
        { path: '', type: 'sentence_transformers.sentence_transformer.modules.transformer.Transformer' },
        { path: '1_Pooling', type: 'sentence_transformers.sentence_transformer.modules.pooling.Pooling' },
        { path: '2_Normalize', type: 'sentence_transformers.base.modules.normalize.Normalize' },
      ],
      '1_Pooling/config.json': { embedding_dimension: 8, pooling_mode: 'cls', include_prompt: true },
    });
    expect(spec.pooling).toBe('cls');
  });

  test('a prompt by default is that of both sides', async () => {
    const config = { prompts: { retrieval: 'the ' }, default_prompt_name: 'retrieval' };
    const { spec } = await resolve(whole({ 'config_sentence_transformers.json': config }));
    expect(spec).toMatchObject({ queryPrefix: 'the ', passagePrefix: 'the ' });
  });

  test.each<[string, object, number]>([
    [
      'RoBERTa has fewer positions than it says',
      { hidden_size: 8, model_type: 'roberta', max_position_embeddings: 34, pad_token_id: 1 },
      32,
    ],
    ['BERT has as many as it says', { hidden_size: 8, model_type: 'bert', max_position_embeddings: 34 }, 34],
    [
      'relative positions are bounded by the tokenizer',
      { hidden_size: 8, model_type: 't5', max_position_embeddings: -1 },
      77,
    ],
  ])('the longest input: %s', async (_, config, maxTokens) => {
    const tokenizer = { 'tokenizer_config.json': { model_max_length: 77 } };
    const { spec } = await resolve(whole({ 'config.json': config, ...tokenizer }));
    expect(spec.maxTokens).toBe(maxTokens);
  });

  test('a limit beyond the positions that there are is cut to them', async () => {
    const { spec } = await resolve(whole({ 'sentence_bert_config.json': { max_seq_length: 9999 } }));
    expect(spec.maxTokens).toBe(32);
  });

  test('without Normalize it says that lengths are dropped', async () => {
    const { warnings } = await resolve(modules('Transformer', 'Pooling'));
    expect(warnings.join()).toMatch(/no Normalize module.*length 1.*cosine/);
  });

  test('without any word on pooling it says that it takes the mean', async () => {
    const { spec, warnings } = await resolve({ '1_Pooling/config.json': null });
    expect(spec.pooling).toBe('mean');
    expect(warnings.join()).toMatch(/their mean is taken/);
  });

  test('initializers that old exports list as inputs are not fed', async () => {
    const inputs = [{ name: 'input_ids', type: 7 }, { name: 'table' }];
    await expect(resolve(weights({ inputs, initializers: { table: null } }))).resolves.toBeDefined();
  });
});

describe('the hash of a model changes with each file that decides a vector (issue 13, A1)', () => {
  const data = weights({ initializers: { a: 'model.onnx_data', b: null }, nested: ['inner.bin'] });
  const base = { ...data, 'onnx/model.onnx_data': 'one', 'onnx/inner.bin': 'two' };

  test.each<[string, unknown]>([
    ['config.json', { hidden_size: 8, max_position_embeddings: 32, more: 1 }],
    ['modules.json', modulesJson('Transformer', 'Pooling')],
    ['1_Pooling/config.json', poolingConfig({ pooling_mode_mean_tokens: true, more: 1 })],
    ['sentence_bert_config.json', { max_seq_length: 32 }],
    ['config_sentence_transformers.json', { prompts: {} }],
    ['tokenizer_config.json', { tokenizer_class: 'BertTokenizer', more: 1 }],
    ['onnx/model.onnx_data', 'other'],
    ['onnx/inner.bin', 'other'],
  ])('%s', async (path, content) => {
    const { spec: before } = await resolve(base);
    const { spec: after } = await resolve({ ...base, [path]: content });
    expect(after.hash).not.toBe(before.hash);
    const { spec: again } = await resolve({ ...base, 'README.md': 'says nothing of vectors' });
    expect(again.hash).toBe(before.hash);
  });

  test('weights that are missing are named', async () => {
    await expect(resolve({ ...base, 'onnx/inner.bin': null })).rejects.toThrow(/lacks onnx\/inner\.bin/);
  });

  test('the shipped model keeps the hash that collections know it by, and every file of it is pinned', async () => {
    const options = { id: 'sentence-transformers/all-MiniLM-L6-v2', dataDirectory: '/nonexistent' };
    const ids = 'sentence-transformers/all-MiniLM-L6-v2';
    const kept = await resolveModel({ ...options, modelsDirectory: join(SHIPPED, '../..') });
    expect(kept.spec.hash).toBe('f3f30757986de5e98c25eb5f147ba0920cc178767585771f09f7f3ea094d1ed2');
    const limits = { 'sentence_bert_config.json': { max_seq_length: 255 } };
    const modelsDirectory = await tinyModelsFolder(limits, ids, SHIPPED);
    await expect(resolveModel({ ...options, modelsDirectory })).rejects.toThrow(/not the ones that ship/);
  });
});

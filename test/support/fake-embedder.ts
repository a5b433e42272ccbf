import { createHash } from 'node:crypto';
import { EmbedlineError, type Embedder, type ModelSpec } from '@embedline/core';
import { vectorOf } from './points.ts';

/** A model that exists only in tests: a text's vector is made from a hash of model and text. */
export function fakeModel(name: string, dimensions: number): ModelSpec {
  return {
    id: `test/${name}`,
    hash: createHash('sha256').update(name).digest('hex'),
    dtype: 'q8',
    pooling: 'mean',
    dimensions,
    maxTokens: 64,
    passagePrefix: '',
    queryPrefix: '',
  };
}

export function fakeVector(model: ModelSpec, text: string): Float32Array {
  return vectorOf(`${model.id} ${text}`, model.dimensions);
}

/** Tells of every text that it embeds; a call with one that `fails` comes to nothing. */
export function fakeEmbedder(
  model: ModelSpec,
  onText: (text: string) => void = () => undefined,
  fails: (text: string) => boolean = () => false,
): Embedder {
  return {
    model,
    embed: async (texts) => {
      if (texts.some(fails)) throw new EmbedlineError('EMBEDDING_FAILED', 'this text was told to fail');
      texts.forEach(onText);
      return {
        vectors: texts.map((text) => fakeVector(model, text)),
        tokens: texts.map((text) => text.split(' ').length),
        truncated: texts.map(() => false),
      };
    },
    countTokens: (text) => text.split(' ').length,
    close: async () => undefined,
  };
}

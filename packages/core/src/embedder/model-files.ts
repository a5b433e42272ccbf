import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import type { ModelSpec } from './embedder.ts';
import { isModelId } from './model-id.ts';
import { hashModel, type ModelHashes } from './hash-model.ts';
import { fetchHubModel, findFetched } from './hub-model.ts';
import { isFile, readJson, readOptionalJson } from './model-folder.ts';
import type { ResolveModelOptions } from './resolve-model-options.ts';
import { readStaticFiles, STATIC_MODEL_TYPE } from './static/static-files.ts';

/** What turns tokens into a vector: a network run by onnxruntime, or a table of token vectors alone. */
export type ModelKind = 'transformer' | 'static';

/** A model whose files are here and were hashed. */
export interface ResolvedModel {
  readonly spec: ModelSpec;
  /** Not part of the specification, since it follows from the files that `spec.hash` is of. */
  readonly kind: ModelKind;
  /** Folder with config.json and tokenizer.json. */
  readonly directory: string;
  readonly weightsFile: string;
  /** The folder in which `spec.id` was found: what a worker on this machine needs as its EMBEDLINE_MODELS. */
  readonly modelsDirectory: string;
}

export const DEFAULT_MODEL_ID = 'sentence-transformers/all-MiniLM-L6-v2';

/** Weights files by dtype, as transformers.js names them. */
const WEIGHTS_FILES: Readonly<Record<string, string>> = {
  q8: 'onnx/model_quantized.onnx',
  fp32: 'onnx/model.onnx',
  fp16: 'onnx/model_fp16.onnx',
  int8: 'onnx/model_int8.onnx',
  uint8: 'onnx/model_uint8.onnx',
  q4: 'onnx/model_q4.onnx',
};

/** SHA-256 of the files that ship with embedline (models/MODEL.md); they must be these, whatever their name says. */
const PINNED_SHA256: Readonly<Record<string, { readonly weights: string; readonly tokenizer: string }>> = {
  [`${DEFAULT_MODEL_ID}/q8`]: {
    weights: '7a77b5b873b17178d5323c663a32eeb8940dbb3c5afbedc2ff93ed181c4401ad',
    tokenizer: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  },
};

/** True for a model that ships with embedline, whose files {@link resolveModel} has found to be the right ones. */
export function isShippedModel({ id, dtype }: ModelSpec): boolean {
  return PINNED_SHA256[`${id}/${dtype}`] !== undefined;
}

/**
 * Finds a model's files and reads from them how it is to be used: pooling, dimensions, longest input, prefixes.
 * @throws EmbedlineError MODEL_NOT_FOUND, MODEL_INVALID
 */
export async function resolveModel(options: ResolveModelOptions): Promise<ResolvedModel> {
  const { id, directory, modelsDirectory } = await locate(options);
  const { model_type: type } = await readJson(join(directory, 'config.json'), kindSchema);
  const kind = type === STATIC_MODEL_TYPE ? 'static' : 'transformer';
  const { dtype, weightsFile, pooling, dimensions, ownLimit } =
    kind === 'static'
      ? await readStaticFiles(directory, options.dtype)
      : await readTransformerFiles(directory, options);
  const prompts = await readOptionalJson(join(directory, 'config_sentence_transformers.json'), promptsSchema);
  const hashes = await hashModel(weightsFile, join(directory, 'tokenizer.json'));
  assertPinned(hashes, weightsFile, `${id}/${dtype}`, options.sha256);
  const spec: ModelSpec = {
    id,
    ...(options.revision === undefined ? {} : { revision: options.revision }),
    hash: hashes.whole,
    dtype,
    pooling,
    dimensions,
    maxTokens: Math.min(options.maxTokens ?? ownLimit, ownLimit),
    passagePrefix: prompts?.prompts?.['passage'] ?? prompts?.prompts?.['document'] ?? '',
    queryPrefix: prompts?.prompts?.['query'] ?? '',
  };
  return { spec, kind, directory, weightsFile, modelsDirectory };
}

/** True when two specifications give every text the same vector. */
export function sameModel(a: ModelSpec, b: ModelSpec): boolean {
  const keys = [
    'hash',
    'dtype',
    'pooling',
    'dimensions',
    'maxTokens',
    'passagePrefix',
    'queryPrefix',
  ] as const;
  return keys.every((key) => a[key] === b[key]);
}

const kindSchema = z.object({ model_type: z.string().optional() });
const configSchema = z.object({
  hidden_size: z.int().positive(),
  max_position_embeddings: z.int().positive().default(512),
});
const poolingSchema = z.object({
  word_embedding_dimension: z.int().positive().optional(),
  pooling_mode_cls_token: z.boolean().optional(),
});
const limitsSchema = z.object({ max_seq_length: z.int().positive().optional() });
const promptsSchema = z.object({ prompts: z.record(z.string(), z.string()).optional() });

async function locate(
  options: ResolveModelOptions,
): Promise<{ id: string; directory: string; modelsDirectory: string }> {
  const { id, modelsDirectory } = options;
  if (isAbsolute(id) || id.startsWith('.')) {
    const directory = resolve(id);
    if (!(await isFile(join(directory, 'config.json'))))
      throw notFound(options, `the folder ${directory} has no config.json`);
    const name = basename(directory);
    if (isModelId(name)) return { id: name, directory, modelsDirectory: dirname(directory) };
    throw new EmbedlineError(
      'MODEL_INVALID',
      `The folder ${directory} cannot name a model, since workers look it up by that name: use letters, digits, '_', '.' and '-' only.`,
    );
  }
  if (!isModelId(id)) throw notFound(options, 'that is not a model id');
  const fetched = await findFetched(options);
  if (fetched !== null) return { id, ...fetched };
  const directory = join(modelsDirectory, id);
  if (await isFile(join(directory, 'config.json'))) return { id, directory, modelsDirectory };
  if (options.allowRemote !== true) throw notFound(options, `${directory} is not there`);
  return { id, ...(await fetchHubModel(options)) };
}

async function readTransformerFiles(directory: string, options: ResolveModelOptions) {
  const { dtype, weightsFile } = await chooseWeights(directory, options);
  const config = await readJson(join(directory, 'config.json'), configSchema);
  const pooling = await readOptionalJson(join(directory, '1_Pooling/config.json'), poolingSchema);
  const limits = await readOptionalJson(join(directory, 'sentence_bert_config.json'), limitsSchema);
  return {
    dtype,
    weightsFile,
    pooling: pooling?.pooling_mode_cls_token === true ? ('cls' as const) : ('mean' as const),
    dimensions: pooling?.word_embedding_dimension ?? config.hidden_size,
    ownLimit: limits?.max_seq_length ?? config.max_position_embeddings,
  };
}

async function chooseWeights(directory: string, options: ResolveModelOptions) {
  const { dtype } = options;
  if (dtype !== undefined && WEIGHTS_FILES[dtype] === undefined) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `There is no dtype ${JSON.stringify(dtype)}. Take one of ${Object.keys(WEIGHTS_FILES).join(', ')}.`,
    );
  }
  for (const name of dtype === undefined ? ['q8', 'fp32'] : [dtype]) {
    const weightsFile = join(directory, WEIGHTS_FILES[name] ?? '');
    if (await isFile(weightsFile)) return { dtype: name, weightsFile };
  }
  const wanted =
    dtype === undefined ? 'onnx/model_quantized.onnx or onnx/model.onnx' : (WEIGHTS_FILES[dtype] ?? dtype);
  throw notFound(options, `${directory} has no ${wanted}`);
}

function notFound({ id, modelsDirectory }: ResolveModelOptions, reason: string): EmbedlineError {
  return new EmbedlineError(
    'MODEL_NOT_FOUND',
    `Model ${JSON.stringify(id)} was not found: ${reason}. Put its folder (config.json, tokenizer.json, onnx/ or model.safetensors) below ` +
      `${modelsDirectory} (EMBEDLINE_MODELS), or name the folder by a path that starts with './' or '/'.`,
  );
}

function assertPinned(
  hashes: ModelHashes,
  weightsFile: string,
  pinnedAs: string,
  sha256: string | undefined,
): void {
  const pinned = PINNED_SHA256[pinnedAs];
  if (pinned !== undefined && (pinned.weights !== hashes.weights || pinned.tokenizer !== hashes.tokenizer)) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `The files of ${pinnedAs} are not the ones that ship with embedline (SHA-256 differs): ${weightsFile}. ` +
        `Restore them with: git checkout -- models`,
    );
  }
  if (sha256 === undefined || sha256 === hashes.whole) return;
  throw new EmbedlineError(
    'MODEL_INVALID',
    `The files of model ${pinnedAs} are not the ones that are pinned: their hash is ${hashes.whole}, not ${sha256}. ` +
      `Put the right ones back, or, if you have changed them yourself, change modelSha256.`,
  );
}

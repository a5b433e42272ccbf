import { readdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import { DEFAULT_MODEL_ID } from './default-model.ts';
import type { ModelSpec } from './embedder.ts';
import { engineIdentity } from './engine/engine-identity.ts';
import type { EngineName } from './engine/engine-name.ts';
import { DecidingFiles, filesInFolder, type ModelFiles } from './files/model-files.ts';
import { describeTransformer } from './files/transformer-files.ts';
import { findFetched, openHubModel } from './hub/hub-model.ts';
import { findModelIds } from './find-model-ids.ts';
import { isFile } from './model-folder.ts';
import { isModelId } from './model-id.ts';
import type { ResolveModelOptions } from './resolve-model-options.ts';
import { describeStatic, STATIC_MODEL_TYPE } from './static/static-files.ts';

/** What turns tokens into a vector: a network run by an engine, or a table of token vectors alone. */
export type ModelKind = 'transformer' | 'static';

/** A model whose files are here and were hashed. */
export interface ResolvedModel {
  readonly spec: ModelSpec;
  /** Not part of the specification, since it follows from the files. */
  readonly kind: ModelKind;
  /** SHA-256 (hex) by which the files are known and pinned, whichever engine runs them. */
  readonly filesHash: string;
  /** Folder with config.json and tokenizer.json. */
  readonly directory: string;
  readonly weightsFile: string;
  /** The folder in which `spec.id` was found: what a worker on this machine needs as its EMBEDLINE_MODELS. */
  readonly modelsDirectory: string;
  /** For people: what may not be as they expect of this model. */
  readonly warnings: readonly string[];
}

/**
 * The models that ship with embedline: `files` is what all of their deciding files together must hash to, whatever the
 * folder's name says. `identity` is the hash that collections know them by, which versions before 0.2 made from the weights
 * and the tokenizer alone: the files are the same, so it stands for them all, and no collection has to be built anew.
 */
const SHIPPED: Readonly<Record<string, { readonly files: string; readonly identity: string }>> = {
  [`${DEFAULT_MODEL_ID}/q8`]: {
    files: 'd8a0dc47672bc897a294823e420c7d0e72bb51b5e1af3487a25533e66ed74089',
    identity: 'f3f30757986de5e98c25eb5f147ba0920cc178767585771f09f7f3ea094d1ed2',
  },
};

/** True for a model that ships with embedline, whose files {@link resolveModel} has found to be the right ones. */
export function isShippedModel({ id, dtype }: ModelSpec): boolean {
  return SHIPPED[`${id}/${dtype}`] !== undefined;
}

/**
 * Finds a model's files and reads from them how it is to be used: pooling, dimensions, longest input, prefixes.
 * @throws EmbedlineError MODEL_NOT_FOUND, MODEL_INVALID, also for each structure that is not supported
 */
export async function resolveModel(options: ResolveModelOptions): Promise<ResolvedModel> {
  const { id, modelsDirectory, ...located } = await locate(options);
  const files = new DecidingFiles(located.files);
  const type = (await files.readJson('config.json', kindSchema))?.model_type;
  const kind = type === STATIC_MODEL_TYPE ? 'static' : 'transformer';
  const { dtype, weightsFile, ownLimit, warnings, ...described } =
    kind === 'static'
      ? await describeStatic(files, options.dtype)
      : await describeTransformer(files, { id, dtype: options.dtype });
  const filesHash = identityOf(await files.hash(), { name: `${id}/${dtype}`, place: files.place, options });
  const spec: ModelSpec = {
    id,
    ...(options.revision === undefined ? {} : { revision: options.revision }),
    hash: filesHash,
    dtype,
    ...described,
    maxTokens: Math.min(options.maxTokens ?? ownLimit, ownLimit),
  };
  const { directory } = files;
  const found: ResolvedModel = { spec, kind, filesHash, directory, weightsFile, modelsDirectory, warnings };
  if (options.engine !== undefined) return withEngine(found, options.engine);
  return kind === 'static' ? found : withEngine(found, 'onnxruntime');
}

/**
 * The same files, run by another engine: another model, since its vectors are others.
 * @throws EmbedlineError MODEL_INVALID for a static model
 */
export function withEngine(model: ResolvedModel, engine: EngineName): ResolvedModel {
  const { spec, kind, filesHash } = model;
  if (kind === 'static')
    throw new EmbedlineError(
      'MODEL_INVALID',
      `${spec.id} is a static model, which has no network for an engine (${engine}) to run. Leave the engine out.`,
    );
  const { engine: _engine, arithmeticVersion: _version, ...rest } = spec;
  return { ...model, spec: { ...rest, ...engineIdentity(engine, filesHash) } };
}

/** True when two specifications give every text the same vector. */
export function sameModel(a: ModelSpec, b: ModelSpec): boolean {
  const keys = [
    'hash',
    'arithmeticVersion',
    'dtype',
    'pooling',
    'dimensions',
    'maxTokens',
    'passagePrefix',
    'queryPrefix',
  ] as const;
  const sameEngine = (a.engine ?? USUAL_ENGINE) === (b.engine ?? USUAL_ENGINE);
  return sameEngine && keys.every((key) => a[key] === b[key]);
}

/** Of specifications that name none. */
const USUAL_ENGINE: EngineName = 'onnxruntime';

const kindSchema = z.looseObject({ model_type: z.string().optional() });

interface Located {
  readonly id: string;
  readonly files: ModelFiles;
  readonly modelsDirectory: string;
}

async function locate(options: ResolveModelOptions): Promise<Located> {
  const { id, modelsDirectory } = options;
  if (isAbsolute(id) || id.startsWith('.')) return locateFolder(options);
  if (!isModelId(id)) throw notFound(options, 'that is not a model id');
  const fetched = await findFetched(options);
  if (fetched !== null) return { id, ...fetched };
  const directory = join(modelsDirectory, id);
  if (await isFile(join(directory, 'config.json')))
    return { id, files: filesInFolder(directory), modelsDirectory };
  if (await isFolder(directory)) throw notFound(options, `the folder ${directory} has no config.json`);
  if (!id.includes('/')) throw await unknownName(options);
  if (options.allowRemote !== true) throw notFound(options, `${directory} is not there`);
  return { id, ...(await openHubModel(options)) };
}

async function locateFolder(options: ResolveModelOptions): Promise<Located> {
  const directory = resolve(options.id);
  if (!(await isFile(join(directory, 'config.json')))) {
    const what = (await isFolder(directory)) ? 'has no config.json' : 'is not there';
    throw notFound(options, `the folder ${directory} ${what}`);
  }
  const id = basename(directory);
  if (isModelId(id)) return { id, files: filesInFolder(directory), modelsDirectory: dirname(directory) };
  throw new EmbedlineError(
    'MODEL_INVALID',
    `The folder ${directory} cannot name a model, since workers look it up by that name: use letters, digits, '_', '.' and '-' only.`,
  );
}

function isFolder(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    () => false,
  );
}

function notFound({ id, modelsDirectory }: ResolveModelOptions, reason: string): EmbedlineError {
  return new EmbedlineError(
    'MODEL_NOT_FOUND',
    `Model ${JSON.stringify(id)} was not found: ${reason}. Put its folder (config.json, tokenizer.json, onnx/ or model.safetensors) below ` +
      `${modelsDirectory} (EMBEDLINE_MODELS), or name the folder by a path that starts with './' or '/'.`,
  );
}

/** A name without an owner is not one of the hub's: it means a folder, or an id that was shortened. */
async function unknownName({ id, modelsDirectory }: ResolveModelOptions): Promise<EmbedlineError> {
  const here = await findModelIds(modelsDirectory);
  const meant = here.find((known) => known.split('/').at(-1)?.toLowerCase() === id.toLowerCase());
  const known = here.length === 0 ? 'no model at all' : here.join(', ');
  const remedy =
    meant === undefined
      ? `A model of the hub has an owner in its id, e.g. ${DEFAULT_MODEL_ID}; a folder elsewhere is named by a path that starts with './' or '/'.`
      : `Do you mean ${meant}?`;
  return new EmbedlineError(
    'MODEL_NOT_FOUND',
    `There is no model ${JSON.stringify(id)} in ${modelsDirectory} (EMBEDLINE_MODELS), which has ${known}. ${remedy}`,
  );
}

/** The hash by which collections and runs know a model. @throws EmbedlineError MODEL_INVALID for files that are not the pinned ones */
function identityOf(
  hash: string,
  { name, place, options }: { name: string; place: string; options: ResolveModelOptions },
): string {
  const shipped = SHIPPED[name];
  if (shipped !== undefined && shipped.files !== hash) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `The files of ${name} are not the ones that ship with embedline (SHA-256 differs): ${place}. ` +
        `Restore them with: git checkout -- models`,
    );
  }
  const identity = shipped?.identity ?? hash;
  if (options.sha256 === undefined || options.sha256 === identity) return identity;
  throw new EmbedlineError(
    'MODEL_INVALID',
    `The files of model ${name} are not the ones that are pinned: their hash is ${identity}, not ${options.sha256}. ` +
      `Put the right ones back, or, if you have changed them yourself, change modelSha256.`,
  );
}

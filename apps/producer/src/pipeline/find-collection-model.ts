import { resolve } from 'node:path';
import type { Config, Generation, ResolvedModel } from '@embedline/core';
import { EmbedlineError, isEmbedlineError } from '@embedline/core/base';
import { describeEngine, engineOf, findModelPlace, resolveModel, sameModel } from '@embedline/core/search';

/**
 * The model that a generation was made with, for its search texts: the one that is named, or else the one of its id in
 * the models folder, or where this machine last found the files with its hash.
 * @param named what the user calls it; a hub model is fetched then
 * @throws EmbedlineError MODEL_NOT_FOUND, MODEL_INVALID, MODEL_MISMATCH
 */
export async function findCollectionModel(
  generation: Generation,
  named: string | undefined,
  context: { readonly config: Config; readonly cwd: string; readonly signal: AbortSignal },
): Promise<ResolvedModel> {
  const { config, cwd, signal } = context;
  const { modelsDirectory, dataDirectory, hub } = config;
  const { model } = generation.manifest;
  const look = (id: string, directory: string) =>
    resolveModel({
      id: /^\.{1,2}(?:\/|$)/.test(id) ? resolve(cwd, id) : id,
      dtype: model.dtype,
      engine: engineOf(model),
      revision: model.revision,
      modelsDirectory: directory,
      dataDirectory,
      allowRemote: named !== undefined,
      hub,
      signal,
    });
  if (named !== undefined) {
    const found = await look(named, modelsDirectory);
    if (sameModel(found.spec, model)) return found;
    throw mismatch(generation, found);
  }
  const usual = await look(model.id, modelsDirectory).catch(nullIfUnusable);
  if (usual !== null && sameModel(usual.spec, model)) return usual;
  const place = await findModelPlace(dataDirectory, model.hash);
  const remembered = place === null ? null : await look(model.id, place).catch(nullIfUnusable);
  if (remembered !== null && sameModel(remembered.spec, model)) return remembered;
  if (usual !== null) throw mismatch(generation, usual);
  if (remembered !== null) throw mismatch(generation, remembered);
  throw notFound(generation, place, modelsDirectory);
}

function nullIfUnusable(error: unknown): null {
  if (isEmbedlineError(error, 'MODEL_NOT_FOUND') || isEmbedlineError(error, 'MODEL_INVALID')) return null;
  throw error;
}

function mismatch({ manifest: { model }, collection }: Generation, found: ResolvedModel): EmbedlineError {
  const { spec, directory } = found;
  return new EmbedlineError(
    'MODEL_MISMATCH',
    `Collection ${collection} was made with ${describe(model)}, but the model in ${directory} is ${describe(spec)}. ` +
      `Name the folder of the right one with --model, or ingest, which builds the collection anew.`,
  );
}

function describe(model: ResolvedModel['spec']): string {
  const { id, hash, dtype } = model;
  const parts = [hash.slice(0, 12), dtype, describeEngine(model)].filter((part) => part !== null);
  return `${id} (${parts.join(', ')})`;
}

function notFound(
  { manifest: { model }, collection }: Generation,
  place: string | null,
  modelsDirectory: string,
): EmbedlineError {
  const last = place === null ? '' : ` This machine last found it in ${place}, and it is not there any more.`;
  const way =
    model.revision === undefined
      ? 'Name its folder with --model ./path/to/the/folder, or put that folder there.'
      : `Fetch it from the hub with --model ${model.id}, or put its folder there.`;
  return new EmbedlineError(
    'MODEL_NOT_FOUND',
    `Collection ${collection} was made with model ${describe(model)}, which was not found below ${modelsDirectory}.${last} ${way}`,
  );
}

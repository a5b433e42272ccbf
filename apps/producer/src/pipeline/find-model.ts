import { isAbsolute, resolve } from 'node:path';
import { resolveModel, type Config, type ResolvedModel } from '@embedline/core';
import type { PipelineDefinition } from './definition.ts';

/**
 * The model of a pipeline, with its files checked against the pin of the definition.
 * @param options.allowRemote fetch a hub model that is not here: for a user who has named it
 * @throws EmbedlineError MODEL_NOT_FOUND, MODEL_INVALID
 */
export function findModel(
  { model, dtype, modelRevision, modelSha256, directory }: PipelineDefinition,
  { modelsDirectory, dataDirectory, hub }: Config,
  { allowRemote, signal }: { readonly allowRemote: boolean; readonly signal?: AbortSignal | undefined },
): Promise<ResolvedModel> {
  const isFolder = /^\.{0,2}\//.test(model) && !isAbsolute(model);
  return resolveModel({
    id: isFolder ? resolve(directory, model) : model,
    dtype,
    revision: modelRevision,
    sha256: modelSha256,
    modelsDirectory,
    dataDirectory,
    allowRemote,
    hub,
    signal,
  });
}

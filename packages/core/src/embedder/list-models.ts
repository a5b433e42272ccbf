import { stat } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import { findModelIds } from './find-model-ids.ts';
import { resolveModel, type ResolvedModel } from './resolve-model.ts';

export interface ListedModel {
  readonly model: ResolvedModel;
  /** Size of the weights. */
  readonly weightsBytes: number;
}

export interface ModelList {
  readonly models: readonly ListedModel[];
  /** Folders that look like a model's and cannot be used, with the reason. */
  readonly unusable: readonly { readonly id: string; readonly reason: string }[];
}

/** Every model in a models folder, by its id: `name` or `owner/name`. */
export async function listModels(options: {
  readonly modelsDirectory: string;
  readonly dataDirectory: string;
}): Promise<ModelList> {
  const models: ListedModel[] = [];
  const unusable: { id: string; reason: string }[] = [];
  for (const id of await findModelIds(options.modelsDirectory)) {
    try {
      const model = await resolveModel({ id, ...options });
      models.push({ model, weightsBytes: (await stat(model.weightsFile)).size });
    } catch (error) {
      unusable.push({ id, reason: messageOf(error) });
    }
  }
  return { models, unusable };
}

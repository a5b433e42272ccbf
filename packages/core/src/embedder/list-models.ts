import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { resolveModel, type ResolvedModel } from './model-files.ts';
import { isFile } from './model-folder.ts';

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

async function findModelIds(modelsDirectory: string): Promise<string[]> {
  const ids: string[] = [];
  for (const name of await foldersIn(modelsDirectory)) {
    if (await isFile(join(modelsDirectory, name, 'config.json'))) {
      ids.push(name);
      continue;
    }
    for (const inner of await foldersIn(join(modelsDirectory, name))) {
      if (await isFile(join(modelsDirectory, name, inner, 'config.json'))) ids.push(`${name}/${inner}`);
    }
  }
  return ids;
}

/** Those that are not hidden, in order of name; none where there is no such folder. */
async function foldersIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  return entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isFile } from './model-folder.ts';

/** Ids of the folders in a models folder that look like a model's: `name` or `owner/name`. */
export async function findModelIds(modelsDirectory: string): Promise<string[]> {
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

import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveModel, type ResolvedModel, type ResolveModelOptions } from '@embedline/core';
import { temporaryDirectory } from './temporary.ts';

const STEADY = fileURLToPath(new URL('../fixtures/tiny-models/steady', import.meta.url));
export const SHIPPED = fileURLToPath(
  new URL('../../models/sentence-transformers/all-MiniLM-L6-v2', import.meta.url),
);

/** Contents by path: text and bytes as they are, other values as JSON, null for a file that is not there. */
export type FileChanges = Readonly<Record<string, unknown>>;

/**
 * A copy of the tiny model (8 dimensions, mean pooling, 32 tokens) with other files.
 * @returns the models folder in which it is
 */
export async function tinyModelsFolder(changes: FileChanges, id = 'tiny', from = STEADY): Promise<string> {
  const modelsDirectory = await temporaryDirectory();
  const folder = join(modelsDirectory, id);
  await cp(from, folder, { recursive: true });
  await changeFiles(folder, changes);
  return modelsDirectory;
}

export async function changeFiles(folder: string, changes: FileChanges): Promise<void> {
  for (const [path, content] of Object.entries(changes)) {
    const file = join(folder, path);
    if (content === null) await rm(file, { force: true });
    else {
      await mkdir(dirname(file), { recursive: true });
      const isRaw = typeof content === 'string' || content instanceof Uint8Array;
      await writeFile(file, isRaw ? content : JSON.stringify(content));
    }
  }
}

/** modules.json of these classes of sentence-transformers, in the folders that it gives them. */
export function modulesJson(...names: readonly string[]): object[] {
  return names.map((name, idx) => ({
    idx,
    name: String(idx),
    path: name === 'Transformer' ? '' : `${idx}_${name}`,
    type: `sentence_transformers.models.${name}`,
  }));
}

export const poolingConfig = (modes: Readonly<Record<string, unknown>>): object => ({
  word_embedding_dimension: 8,
  pooling_mode_cls_token: false,
  pooling_mode_mean_tokens: false,
  pooling_mode_max_tokens: false,
  pooling_mode_mean_sqrt_len_tokens: false,
  ...modes,
});

/** The tiny model as sentence-transformers writes it: mean pooling and normalization, with other files. */
export const wholeModel = (changes: FileChanges = {}): FileChanges => ({
  'modules.json': modulesJson('Transformer', 'Pooling', 'Normalize'),
  '1_Pooling/config.json': poolingConfig({ pooling_mode_mean_tokens: true }),
  ...changes,
});

/** What is made of the tiny model with other files. */
export async function resolveTiny(
  changes: FileChanges,
  options: Partial<ResolveModelOptions> = {},
  id = 'tiny',
): Promise<ResolvedModel> {
  const modelsDirectory = await tinyModelsFolder(changes, id);
  return resolveModel({ id, modelsDirectory, dataDirectory: '/nonexistent', ...options });
}

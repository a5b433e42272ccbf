import { z } from 'zod';
import type { DecidingFiles } from './model-files.ts';
import { refuse, TAKE_ANOTHER } from './refuse.ts';

export interface PoolingSettings {
  readonly pooling: 'mean' | 'cls';
  /** Of a token's vector, as the file says it. */
  readonly dimensions: number | null;
}

const poolingSchema = z.looseObject({
  word_embedding_dimension: z.int().positive().nullish(),
  embedding_dimension: z.int().positive().nullish(),
  include_prompt: z.boolean().nullish(),
  /** As newer versions of sentence-transformers write it. */
  pooling_mode: z.union([z.string(), z.array(z.string())]).nullish(),
});

/**
 * Reads how a model makes one vector of those of its tokens; null when no file says it.
 * @throws EmbedlineError MODEL_INVALID for anything but mean or CLS alone
 */
export async function readPooling(files: DecidingFiles, path: string): Promise<PoolingSettings | null> {
  const file = path === '' ? 'config.json' : `${path}/config.json`;
  const config = await files.readJson(file, poolingSchema);
  if (config === null) return null;
  const modes = modesOf(config, (flag) =>
    refuse(files.place, `${file} has ${flag}, which is neither true nor false`, 'Correct the file.'),
  );
  if (modes.length > 1)
    throw refuse(
      files.place,
      `${file} asks for several pooling modes at once (${modes.join(', ')})`,
      TAKE_ANOTHER,
    );
  const [mode] = modes;
  if (mode === undefined) throw refuse(files.place, `${file} asks for no pooling mode`, TAKE_ANOTHER);
  if (mode !== 'mean' && mode !== 'cls')
    throw refuse(files.place, `${file} asks for ${mode} pooling`, TAKE_ANOTHER);
  if (config.include_prompt === false)
    throw refuse(
      files.place,
      `${file} has include_prompt: false (the prompt's tokens are left out of the pooling)`,
      TAKE_ANOTHER,
    );
  return { pooling: mode, dimensions: config.word_embedding_dimension ?? config.embedding_dimension ?? null };
}

const FLAG = /^pooling_mode_(.+?)(?:_tokens?)?$/;

/**
 * The modes that are asked for, each once: by flags, by name, or both. As in sentence-transformers the mean is taken
 * where neither a name nor its own flag says otherwise.
 */
function modesOf(config: z.infer<typeof poolingSchema>, refuseFlag: (flag: string) => Error): string[] {
  const named = [config.pooling_mode ?? []].flat().flatMap((mode) => mode.split('+'));
  const flags = new Map(named.length === 0 ? [['mean', true]] : []);
  for (const [key, value] of Object.entries(config)) {
    const mode = FLAG.exec(key)?.[1];
    if (mode === undefined || value === null) continue;
    if (typeof value !== 'boolean') throw refuseFlag(`${key}: ${JSON.stringify(value)}`);
    flags.set(mode, value);
  }
  const flagged = [...flags].filter(([, isOn]) => isOn).map(([mode]) => mode);
  return [...new Set([...named, ...flagged])];
}

import { z } from 'zod';
import type { DecidingFiles } from './model-files.ts';
import { refuse, TAKE_ANOTHER } from './refuse.ts';

const modulesSchema = z.array(z.looseObject({ path: z.string(), type: z.string() })).min(1);

/** What modules.json says of a model: what a text goes through, one after the other. */
export interface Modules {
  /** Folder of the pooling's configuration. */
  readonly poolingPath: string;
  /** Whether the model's own vectors have unit length; null when its files do not say. */
  readonly normalizes: boolean | null;
}

/** Folders that sentence-transformers gives modules that change a vector, when modules.json itself was not copied. */
const LEFTOVER_FOLDERS = [2, 3].flatMap((place) =>
  ['Dense', 'LayerNorm', 'CNN', 'LSTM', 'WeightedLayerPooling'].map((name) => `${place}_${name}`),
);

/**
 * Reads modules.json of a transformer.
 * @throws EmbedlineError MODEL_INVALID for modules other than Transformer, Pooling and Normalize in this order
 */
export async function readModules(files: DecidingFiles): Promise<Modules> {
  const modules = await files.readJson('modules.json', modulesSchema);
  if (modules === null) {
    for (const folder of LEFTOVER_FOLDERS)
      if ((await files.find(`${folder}/config.json`)) !== null)
        throw refuse(files.place, `it has a module ${folder} and no modules.json`, TAKE_ANOTHER);
    return { poolingPath: '1_Pooling', normalizes: null };
  }
  const names = modules.map(({ type }) => nameOf(type, files.place));
  assertOrder(names, ['Transformer', 'Pooling'], files.place);
  const [transformer, pooling] = modules;
  if (!isTop(transformer?.path ?? ''))
    throw refuse(
      files.place,
      `modules.json has its Transformer in ${JSON.stringify(transformer?.path)}, not at the top of the folder`,
      'Export it again with a current version of sentence-transformers.',
    );
  return { poolingPath: pooling?.path ?? '', normalizes: names.length > 2 };
}

/** Of a static model, which needs no modules.json. @throws EmbedlineError MODEL_INVALID */
export async function assertStaticModules(files: DecidingFiles): Promise<void> {
  const modules = await files.readJson('modules.json', modulesSchema);
  if (modules === null) return;
  const names = modules.map(({ type }) => nameOf(type, files.place));
  assertOrder(names, ['StaticEmbedding'], files.place);
}

const KNOWN = new Set(['Transformer', 'Pooling', 'Normalize', 'StaticEmbedding']);

/** The last part of a class name of sentence-transformers, which moves its classes from version to version. */
function nameOf(type: string, place: string): string {
  const name = type.split('.').at(-1) ?? '';
  if (!type.startsWith('sentence_transformers.'))
    throw refuse(
      place,
      `modules.json has a module of type ${JSON.stringify(type)}, which is code of its own`,
      TAKE_ANOTHER,
    );
  if (!KNOWN.has(name))
    throw refuse(place, `modules.json has a ${name} module (${JSON.stringify(type)})`, TAKE_ANOTHER);
  return name;
}

function assertOrder(names: readonly string[], wanted: readonly string[], place: string): void {
  const isWanted =
    wanted.every((name, index) => names[index] === name) &&
    names.slice(wanted.length).every((name) => name === 'Normalize');
  if (isWanted) return;
  throw refuse(
    place,
    `modules.json has the modules ${names.join(', ')}, not ${[...wanted, 'Normalize'].join(', ')} in this order`,
    TAKE_ANOTHER,
  );
}

function isTop(path: string): boolean {
  return path === '' || path === '.' || path === './';
}

import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { readStateFile, writeStateEntry, type StateFile } from '../state/state-file.ts';
import type { ResolvedModel } from './resolve-model.ts';

const placeSchema = z.looseObject({
  modelsDirectory: z.string().max(4096).refine(isAbsolute, 'expected an absolute path'),
});
type Place = z.infer<typeof placeSchema>;

/** Of the format of `model-places.json`; see docs/formats.md. */
export const PLACES_VERSION = 1;
/** The newest are kept. */
const MAX_PLACES = 200;

/** The models folder in which this machine last found the model with this hash, or null. */
export async function findModelPlace(dataDirectory: string, hash: string): Promise<string | null> {
  const found = await readStateFile(stateOf(dataDirectory));
  return found.kind === 'newer' ? null : (found.entries[hash]?.modelsDirectory ?? null);
}

/**
 * Keeps where a model was found, by its hash, in `<dataDirectory>/model-places.json`: a collection names its model by id
 * and hash only, since another machine has it elsewhere. One that is found in the usual models folder needs no entry.
 * @param usual the models folder of the configuration
 */
export async function rememberModelPlace(
  dataDirectory: string,
  { spec: { hash }, modelsDirectory }: Pick<ResolvedModel, 'spec' | 'modelsDirectory'>,
  usual: string,
): Promise<void> {
  if (modelsDirectory === usual) return;
  const known = await findModelPlace(dataDirectory, hash);
  if (known !== modelsDirectory) await writeStateEntry(stateOf(dataDirectory), hash, { modelsDirectory });
}

function stateOf(dataDirectory: string): StateFile<Place> {
  return {
    home: dataDirectory,
    name: 'model-places.json',
    version: PLACES_VERSION,
    entry: placeSchema,
    maxEntries: MAX_PLACES,
  };
}

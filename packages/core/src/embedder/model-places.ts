import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ResolvedModel } from './resolve-model.ts';

const placesSchema = z.record(z.string(), z.object({ modelsDirectory: z.string() }));
type Places = z.infer<typeof placesSchema>;

/** The newest are kept. */
const MAX_PLACES = 200;

/** The models folder in which this machine last found the model with this hash, or null. */
export async function findModelPlace(dataDirectory: string, hash: string): Promise<string | null> {
  return (await readPlaces(dataDirectory))[hash]?.modelsDirectory ?? null;
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
  const { [hash]: known, ...others } = await readPlaces(dataDirectory);
  if (known?.modelsDirectory === modelsDirectory) return;
  const kept = Object.entries(others).slice(-MAX_PLACES + 1);
  const places: Places = { ...Object.fromEntries(kept), [hash]: { modelsDirectory } };
  const file = fileOf(dataDirectory);
  const draft = `${file}.${process.pid}`;
  try {
    await mkdir(dataDirectory, { recursive: true });
    await writeFile(draft, `${JSON.stringify(places, null, 2)}\n`);
    await rename(draft, file);
  } catch {
    // A disk that is full or read-only costs a search its shortcut (--model names the folder), not this run.
    return;
  }
}

async function readPlaces(dataDirectory: string): Promise<Places> {
  const text = await readFile(fileOf(dataDirectory), 'utf8').catch(() => '{}');
  try {
    return placesSchema.parse(JSON.parse(text));
  } catch {
    // Another version's or half a file: the next ingest writes it again.
    return {};
  }
}

function fileOf(dataDirectory: string): string {
  return join(dataDirectory, 'model-places.json');
}

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { checkStateFolder, openStateFolder } from '../../state/state-folder.ts';
import { EmbedlineError, messageOf } from '../../errors.ts';
import type { ModelFiles } from '../files/model-files.ts';
import { isFile } from '../model-folder.ts';
import { revisionSchema } from '../model-id.ts';
import type { ResolveModelOptions } from '../resolve-model-options.ts';
import { download } from './download.ts';
import { DEFAULT_HUB, openHub, type HubAccess } from './hub-access.ts';
import { hubFilesSchema, listHubFiles, type HubFiles } from './hub-listing.ts';

export interface HubModel {
  readonly files: ModelFiles;
  /** The folder in which its id is to be looked for. */
  readonly modelsDirectory: string;
}

/** The hub's list of a commit's files, kept beside them: with it, what was fetched is found again without a network. */
const LISTING_FILE = 'hub-files.json';
/** Of the format of that file; see docs/formats.md. Files that say none are of version 1. */
const LISTING_VERSION = 1;
const listingSchema = z.object({
  version: z.literal(LISTING_VERSION).default(LISTING_VERSION),
  id: z.string(),
  revision: revisionSchema,
  files: hubFilesSchema,
});

/** A hub model that was fetched before, of exactly the wanted commit; null when it is not here. */
export async function findFetched(options: ResolveModelOptions): Promise<HubModel | null> {
  const { id, revision, allowRemote } = options;
  if (revision === undefined) return null;
  const { directory } = placeOf(options, revision);
  if (!checkStateFolder(options.dataDirectory, 'hub')) return null;
  const files = await readListing(join(directory, LISTING_FILE), id, revision);
  if (files === null) return null;
  // Another dtype's weights may not be here yet.
  const hub = allowRemote === true ? openHub(options.hub ?? DEFAULT_HUB, options.signal) : null;
  return modelOf(options, revision, files, hub);
}

/**
 * A model that the user named, on the hub. Its files are fetched when they are asked for, by the hub's own list of the
 * commit's files, into `<dataDirectory>/hub`, once; later runs find them there. No code of a model is ever run.
 * @throws EmbedlineError MODEL_NOT_FOUND; MODEL_INVALID without a commit
 */
export async function openHubModel(options: ResolveModelOptions): Promise<HubModel> {
  const { id, revision } = options;
  if (revision === undefined || !revisionSchema.safeParse(revision).success) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `Model ${JSON.stringify(id)} is not below ${options.modelsDirectory}, and is fetched from the hub only by its commit, since a ` +
        `branch may hold something else tomorrow. Name one (40 hexadecimal digits, from https://huggingface.co/${id}/commits/main): ` +
        `--model-revision, or modelRevision in the configuration file.`,
    );
  }
  const hub = openHub(options.hub ?? DEFAULT_HUB, options.signal);
  const files = await listHubFiles({ id, revision }, hub);
  if (files['config.json'] === undefined)
    throw new EmbedlineError(
      'MODEL_NOT_FOUND',
      `Model ${JSON.stringify(id)} on the hub has no config.json at commit ${revision}: it is not a model that embedline can use.`,
    );
  const { directory } = placeOf(options, revision);
  openStateFolder(options.dataDirectory, 'hub');
  await writeListing(directory, { version: LISTING_VERSION, id, revision, files });
  return modelOf(options, revision, files, hub);
}

function modelOf(
  options: ResolveModelOptions,
  revision: string,
  listed: HubFiles,
  hub: HubAccess | null,
): HubModel {
  const { directory, modelsDirectory } = placeOf(options, revision);
  const { id } = options;
  const find = async (path: string): Promise<string | null> => {
    const file = Object.hasOwn(listed, path) ? listed[path] : undefined;
    if (file === undefined) return null;
    const target = join(directory, ...path.split('/'));
    if (await isFile(target)) return target;
    if (hub === null) throw notFetched(id, path, directory);
    const url = `${hub.endpoint}/${id}/resolve/${revision}/${path.split('/').map(encodeURIComponent).join('/')}`;
    await download(url, target, file, hub).catch((cause: unknown) => {
      options.signal?.throwIfAborted();
      throw new EmbedlineError(
        'MODEL_NOT_FOUND',
        `${path} of model ${JSON.stringify(id)} could not be fetched from the hub (commit ${revision}): ${messageOf(cause)}. ` +
          `Try again, or put the model's folder below ${options.modelsDirectory}.`,
        { cause },
      );
    });
    return target;
  };
  return { files: { place: directory, directory, find }, modelsDirectory };
}

function notFetched(id: string, path: string, directory: string): EmbedlineError {
  return new EmbedlineError(
    'MODEL_NOT_FOUND',
    `${path} of model ${JSON.stringify(id)} is not in ${directory}. Fetch it with an ingest that names the model and its commit ` +
      `(--model, --model-revision, --dtype), or let workers fetch (EMBEDLINE_ALLOW_REMOTE_MODELS=1).`,
  );
}

async function readListing(file: string, id: string, revision: string): Promise<HubFiles | null> {
  try {
    const listing = listingSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    return listing.id === id && listing.revision === revision ? listing.files : null;
  } catch {
    // Not there, or another version's: it is asked for again.
    return null;
  }
}

async function writeListing(directory: string, listing: z.infer<typeof listingSchema>): Promise<void> {
  await mkdir(directory, { recursive: true });
  const draft = join(directory, `${LISTING_FILE}.${process.pid}`);
  await writeFile(draft, `${JSON.stringify(listing, null, 2)}\n`);
  await rename(draft, join(directory, LISTING_FILE));
}

function placeOf({ id, dataDirectory }: ResolveModelOptions, revision: string) {
  const modelsDirectory = join(dataDirectory, 'hub');
  return { directory: join(modelsDirectory, id, revision), modelsDirectory };
}

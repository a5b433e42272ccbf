import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbedlineError, messageOf } from '../errors.ts';
import { revisionSchema } from './model-id.ts';
import type { ResolveModelOptions } from './resolve-model-options.ts';

interface FoundModel {
  readonly directory: string;
  /** The folder in which its id is to be looked for. */
  readonly modelsDirectory: string;
}

/** A hub model that was fetched before, of exactly the wanted revision; null when it is not here. */
export async function findFetched(options: ResolveModelOptions): Promise<FoundModel | null> {
  if (options.revision === undefined) return null;
  const found = placeOf(options, options.revision);
  return access(join(found.directory, 'config.json')).then(
    () => found,
    () => null,
  );
}

/**
 * Fetches a model that the user named from the hub into `<dataDirectory>/hub`, once; later runs find it there.
 * Only files are fetched, of the commit that is named; no code of a model is ever run.
 * @throws EmbedlineError MODEL_NOT_FOUND; MODEL_INVALID without a commit
 */
export async function fetchHubModel(options: ResolveModelOptions): Promise<FoundModel> {
  const { id, revision, dtype = 'q8' } = options;
  if (!revisionSchema.safeParse(revision).success || revision === undefined) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `Model ${JSON.stringify(id)} is not below ${options.modelsDirectory}, and is fetched from the hub only by its commit, since a ` +
        `branch may hold something else tomorrow. Name one (40 hexadecimal digits, from https://huggingface.co/${id}/commits/main): ` +
        `--model-revision, or modelRevision in the configuration file.`,
    );
  }
  const { AutoModel, AutoTokenizer, env, LogLevel } = await import('@huggingface/transformers');
  const found = placeOf(options, revision);
  env.allowLocalModels = false;
  env.logLevel = LogLevel.NONE;
  try {
    const where = { cache_dir: found.modelsDirectory, revision };
    await AutoTokenizer.from_pretrained(id, where);
    const model = await AutoModel.from_pretrained(id, { ...where, dtype: dtype as 'q8' });
    await model.dispose();
  } catch (cause) {
    throw new EmbedlineError(
      'MODEL_NOT_FOUND',
      `Model ${JSON.stringify(id)} could not be fetched from the hub (revision ${revision}, ${dtype}): ${messageOf(cause)}. ` +
        `Check the name and the network, or put the model's folder below ${options.modelsDirectory}.`,
      { cause },
    );
  }
  return found;
}

/** The file cache of transformers.js has `<cache>/<id>/<revision>/` for every revision but main. */
function placeOf({ id, dataDirectory }: ResolveModelOptions, revision: string): FoundModel {
  const modelsDirectory = join(dataDirectory, 'hub');
  return { directory: join(modelsDirectory, id, revision), modelsDirectory };
}

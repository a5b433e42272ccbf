import { join } from 'node:path';
import { EmbedlineError, messageOf } from '../errors.ts';
import type { ResolveModelOptions } from './model-files.ts';

/**
 * Fetches a model that the user named from the hub into `<dataDirectory>/hub`, once; later runs find it there.
 * Only files are fetched; no code of a model is ever run.
 * @throws EmbedlineError MODEL_NOT_FOUND
 */
export async function fetchHubModel(
  options: ResolveModelOptions,
): Promise<{ directory: string; modelsDirectory: string }> {
  const { id, revision = 'main', dtype = 'q8' } = options;
  const { AutoModel, AutoTokenizer, env, LogLevel } = await import('@huggingface/transformers');
  const cacheDirectory = join(options.dataDirectory, 'hub');
  env.allowLocalModels = false;
  env.logLevel = LogLevel.NONE;
  try {
    const where = { cache_dir: cacheDirectory, revision };
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
  // The file cache of transformers.js: <cache>/<id>/ for main, <cache>/<id>/<revision>/ for a pinned one.
  const directory = revision === 'main' ? join(cacheDirectory, id) : join(cacheDirectory, id, revision);
  return { directory, modelsDirectory: cacheDirectory };
}

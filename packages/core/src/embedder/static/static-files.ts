import { z } from 'zod';
import { EmbedlineError, messageOf } from '../../errors.ts';
import type { ModelDescription } from '../files/model-description.ts';
import type { DecidingFiles } from '../files/model-files.ts';
import { assertStaticModules } from '../files/modules.ts';
import { readPrompts } from '../files/prompts.ts';
import { findStaticTokenizer } from '../files/tokenizer-files.ts';
import { readTensorInfos } from './safetensors.ts';
import { dtypeOf, TENSORS } from './token-table.ts';

/** What config.json of a static model has as its `model_type`, by its inventors. */
export const STATIC_MODEL_TYPE = 'model2vec';

export const WEIGHTS_FILE = 'model.safetensors';

/** Published models say that they take any length; a mean over more than this says little of anything. */
const MAX_TOKENS = 512;

const configSchema = z.looseObject({
  seq_length: z.int().positive().default(MAX_TOKENS),
  normalize: z.boolean().nullish(),
});

/**
 * Reads from the files of a model in Model2Vec's layout how it is to be used.
 * @param dtype the one that is wanted, when it is known; there is only one in such a folder
 * @throws EmbedlineError MODEL_NOT_FOUND, MODEL_INVALID
 */
export async function describeStatic(
  files: DecidingFiles,
  dtype: string | undefined,
): Promise<ModelDescription> {
  const config = await files.readJson('config.json', configSchema);
  await assertStaticModules(files);
  await findStaticTokenizer(files);
  const prompts = await readPrompts(files, { family: null, normalizes: config?.normalize ?? null });
  const weightsFile = await files.find(WEIGHTS_FILE);
  if (weightsFile === null)
    throw new EmbedlineError(
      'MODEL_NOT_FOUND',
      `The static model in ${files.place} has no ${WEIGHTS_FILE}. Copy it too.`,
    );
  const embeddings = await readEmbeddingsInfo(weightsFile);
  if (dtype !== undefined && dtype !== embeddings.dtype) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `${weightsFile} holds ${embeddings.dtype}, not ${dtype}. Leave --dtype out: a static model has only one.`,
    );
  }
  const warning = `${files.place} does not normalize its vectors (config.json): they are stored with length 1 and compared by their angle (cosine).`;
  return {
    ...embeddings,
    weightsFile,
    pooling: 'mean',
    ownLimit: Math.min(config?.seq_length ?? MAX_TOKENS, MAX_TOKENS),
    passagePrefix: prompts.passagePrefix,
    queryPrefix: prompts.queryPrefix,
    warnings: [...(config?.normalize === false ? [warning] : []), ...prompts.warnings],
  };
}

async function readEmbeddingsInfo(weightsFile: string): Promise<{ dtype: string; dimensions: number }> {
  try {
    const info = (await readTensorInfos(weightsFile)).get(TENSORS.embeddings);
    if (info === undefined) throw new Error(`it has no tensor "${TENSORS.embeddings}"`);
    const dtype = dtypeOf(info.type);
    const dimensions = info.shape[1] ?? 0;
    if (dtype === null || dimensions === 0) {
      throw new Error(`its vectors are ${info.type} [${info.shape.join(', ')}]`);
    }
    return { dtype, dimensions };
  } catch (cause) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `${weightsFile} cannot be read as the vectors of a static model: ${messageOf(cause)}. Fetch or distill the model again.`,
      { cause },
    );
  }
}

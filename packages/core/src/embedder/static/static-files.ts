import { join } from 'node:path';
import { z } from 'zod';
import { EmbedlineError, messageOf } from '../../errors.ts';
import { readJson } from '../model-folder.ts';
import { readTensorInfos } from './safetensors.ts';
import { dtypeOf, TENSORS } from './token-table.ts';

/** What config.json of a static model has as its `model_type`, by its inventors. */
export const STATIC_MODEL_TYPE = 'model2vec';

export const WEIGHTS_FILE = 'model.safetensors';

/** Published models say that they take any length; a mean over more than this says little of anything. */
const MAX_TOKENS = 512;

const configSchema = z.object({ seq_length: z.int().positive().default(MAX_TOKENS) });

export interface StaticFiles {
  readonly weightsFile: string;
  readonly dtype: string;
  readonly pooling: 'mean';
  readonly dimensions: number;
  readonly ownLimit: number;
}

/**
 * Reads from a folder in Model2Vec's layout how it is to be used.
 * @param dtype the one that is wanted, when it is known; there is only one in such a folder
 * @throws EmbedlineError MODEL_INVALID
 */
export async function readStaticFiles(directory: string, dtype: string | undefined): Promise<StaticFiles> {
  const { seq_length: length } = await readJson(join(directory, 'config.json'), configSchema);
  const weightsFile = join(directory, WEIGHTS_FILE);
  const embeddings = await readEmbeddingsInfo(weightsFile);
  if (dtype !== undefined && dtype !== embeddings.dtype) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `${weightsFile} holds ${embeddings.dtype}, not ${dtype}. Leave --dtype out: a static model has only one.`,
    );
  }
  return { weightsFile, ...embeddings, pooling: 'mean', ownLimit: Math.min(length, MAX_TOKENS) };
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

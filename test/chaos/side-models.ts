import { cp, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_MODEL_ID } from '../../packages/core/src/embedder/default-model.ts';

const SHIPPED = fileURLToPath(new URL('../../models', import.meta.url));
const STEADY = fileURLToPath(new URL('../fixtures/tiny-models/steady', import.meta.url));

/** Three models besides the one of the main run: more than a worker keeps open. */
export const SIDE_MODELS = ['side-model-1', 'side-model-2', 'side-model-3'] as const;

/** Fills a folder with the shipped model and the side models, which differ in what stands before a text. */
export async function writeModels(directory: string): Promise<void> {
  await cp(SHIPPED, directory, { recursive: true });
  for (const id of SIDE_MODELS) {
    await cp(STEADY, join(directory, id), { recursive: true });
    const settings = { __version__: {}, prompts: { passage: `${id}: ` } };
    await writeFile(join(directory, id, 'config_sentence_transformers.json'), JSON.stringify(settings));
  }
}

/** Fills a folder with another model under the name of the shipped one. */
export async function writeWrongModel(directory: string): Promise<void> {
  const place = join(directory, DEFAULT_MODEL_ID);
  await mkdir(place, { recursive: true });
  await cp(STEADY, place, { recursive: true });
  // Where that of the shipped one is.
  await rename(join(place, 'onnx/model.onnx'), join(place, 'onnx/model_quantized.onnx'));
}

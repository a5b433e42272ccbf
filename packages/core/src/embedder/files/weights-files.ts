import { posix } from 'node:path';
import { EmbedlineError } from '../../errors.ts';
import type { DecidingFiles } from './model-files.ts';
import { refuse } from './refuse.ts';

/** Names of weights files by dtype, as transformers.js has them below `onnx/`, and Optimum at the top. */
const WEIGHTS_NAMES: Readonly<Record<string, string>> = {
  q8: 'model_quantized.onnx',
  fp32: 'model.onnx',
  fp16: 'model_fp16.onnx',
  int8: 'model_int8.onnx',
  uint8: 'model_uint8.onnx',
  q4: 'model_q4.onnx',
};
const FOLDERS = ['onnx', ''];
const USUAL = ['q8', 'fp32'];

export interface WeightsFile {
  readonly dtype: string;
  /** Relative to the model's folder. */
  readonly path: string;
  readonly file: string;
}

/**
 * @param dtype the wanted one. Defaults to the first there is of q8, fp32
 * @throws EmbedlineError MODEL_INVALID for an unknown dtype, MODEL_NOT_FOUND when there are no such weights
 */
export async function findWeights(files: DecidingFiles, dtype: string | undefined): Promise<WeightsFile> {
  if (dtype !== undefined && WEIGHTS_NAMES[dtype] === undefined) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `There is no dtype ${JSON.stringify(dtype)}. Take one of ${Object.keys(WEIGHTS_NAMES).join(', ')}.`,
    );
  }
  const tried: string[] = [];
  for (const name of dtype === undefined ? USUAL : [dtype]) {
    for (const folder of FOLDERS) {
      const path = posix.join(folder, WEIGHTS_NAMES[name] ?? '');
      const file = await files.find(path);
      if (file !== null) return { dtype: name, path, file };
      tried.push(path);
    }
  }
  throw new EmbedlineError(
    'MODEL_NOT_FOUND',
    `The model in ${files.place} has no ONNX weights that could be used: none of ${tried.join(', ')} is there. Name others with ` +
      `--dtype (${Object.keys(WEIGHTS_NAMES).join(', ')}), or export the model: ` +
      `optimum-cli export onnx --model ID --task feature-extraction FOLDER`,
  );
}

/** Finds the files in which a weights file has further weights. @throws EmbedlineError MODEL_INVALID, MODEL_NOT_FOUND */
export async function findExternalFiles(
  files: DecidingFiles,
  weights: WeightsFile,
  locations: readonly string[],
): Promise<void> {
  for (const location of locations) {
    const path = posix.join(posix.dirname(weights.path), location);
    if (posix.isAbsolute(location) || location.includes('\\') || path.startsWith('..'))
      throw refuse(
        files.place,
        `${weights.path} has weights in ${JSON.stringify(location)}, outside of its folder`,
        'Save it again with its weights beside it.',
      );
    if ((await files.find(path)) === null)
      throw new EmbedlineError(
        'MODEL_NOT_FOUND',
        `The model in ${files.place} lacks ${path}, in which ${weights.path} has its weights. Copy it too.`,
      );
  }
}

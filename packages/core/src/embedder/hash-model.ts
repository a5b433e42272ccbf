import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { sha256 } from './model-folder.ts';

export interface ModelHashes {
  readonly weights: string;
  readonly tokenizer: string;
  /** Of both, and of the files beside the weights that hold what did not fit into them. */
  readonly whole: string;
}

/** SHA-256 (hex) of the files that decide which vector a text gets. */
export async function hashModel(weightsFile: string, tokenizerFile: string): Promise<ModelHashes> {
  const [weights, tokenizer] = await Promise.all([sha256(weightsFile), sha256(tokenizerFile)]);
  const whole = createHash('sha256').update(weights).update(tokenizer);
  for (const file of await externalData(weightsFile)) whole.update(await sha256(file));
  return { weights, tokenizer, whole: whole.digest('hex') };
}

/** ONNX keeps weights beyond 2 GB in `<weights>_data`, `<weights>_data_1`, ... or `<weights>.data`. */
async function externalData(weightsFile: string): Promise<string[]> {
  const [directory, name] = [dirname(weightsFile), basename(weightsFile)];
  const files = await readdir(directory);
  const isData = (file: string) => file === `${name}.data` || file.startsWith(`${name}_data`);
  return files
    .filter(isData)
    .sort()
    .map((file) => join(directory, file));
}

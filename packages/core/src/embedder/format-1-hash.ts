import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { sha256 } from './model-folder.ts';
import type { ResolvedModel } from './resolve-model.ts';

/**
 * The hash by which version 0.1.0 knew a model: SHA-256 (hex) over the hashes of its weights, its tokenizer, and the files
 * beside the weights that hold what did not fit into them. Runs of format 1 name their models by it.
 */
export async function format1ModelHash({ directory, weightsFile }: ResolvedModel): Promise<string> {
  const data = (await readdir(dirname(weightsFile)))
    .filter((file) => isExternalData(file, weightsFile))
    .sort();
  const files = [
    weightsFile,
    join(directory, 'tokenizer.json'),
    ...data.map((file) => join(dirname(weightsFile), file)),
  ];
  const whole = createHash('sha256');
  for (const file of files) whole.update(await sha256(file));
  return whole.digest('hex');
}

function isExternalData(file: string, weightsFile: string): boolean {
  const name = basename(weightsFile);
  return file === `${name}.data` || file.startsWith(`${name}_data`);
}

import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeSafetensors, type Tensor } from './safetensors.ts';
import { STATIC_MODEL_TYPE, WEIGHTS_FILE } from './static-files.ts';
import { TENSORS } from './token-table.ts';

export interface StaticModel {
  /** A row for each token id of the tokenizer; zeros for those that have no part in a text's vector. */
  readonly rows: Float32Array;
  readonly dimensions: number;
  /** By token id. */
  readonly weights: Float64Array;
  /** Folder whose tokenizer.json it uses. */
  readonly tokenizerDirectory: string;
  /** Further fields of config.json. */
  readonly config: Readonly<Record<string, unknown>>;
}

const LARGEST_INT8 = 127;

/**
 * Writes a folder in Model2Vec's layout, in one step: it is there whole or not at all. Vectors are 8-bit numbers, each
 * row with a scale of its own, which its weight carries.
 * @throws the error of the file system, e.g. when the folder exists
 */
export async function writeStaticModel(directory: string, model: StaticModel): Promise<void> {
  const draft = join(dirname(directory), `.distilling-${randomUUID()}`);
  await mkdir(draft, { recursive: true });
  try {
    await writeFile(join(draft, WEIGHTS_FILE), encodeSafetensors(toTensors(model), { format: 'pt' }));
    const config = {
      model_type: STATIC_MODEL_TYPE,
      architectures: ['StaticModel'],
      hidden_dim: model.dimensions,
      normalize: true,
      embedding_dtype: 'int8',
      ...model.config,
    };
    await writeFile(join(draft, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
    await copyFile(join(model.tokenizerDirectory, 'tokenizer.json'), join(draft, 'tokenizer.json'));
    await copyIfThere(model.tokenizerDirectory, draft, 'tokenizer_config.json');
    await rename(draft, directory);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

function toTensors({ rows, dimensions, weights }: StaticModel): ReadonlyMap<string, Tensor> {
  const embeddings = new Int8Array(rows.length);
  const scaled = new Float32Array(weights.length);
  for (const [id, weight] of weights.entries()) {
    const row = rows.subarray(id * dimensions, (id + 1) * dimensions);
    const largest = row.reduce((found, value) => Math.max(found, Math.abs(value)), 0);
    if (largest === 0) continue;
    scaled[id] = (weight * largest) / LARGEST_INT8;
    embeddings.set(
      row.map((value) => Math.round((value / largest) * LARGEST_INT8)),
      id * dimensions,
    );
  }
  const bytesOf = (numbers: Int8Array<ArrayBuffer> | Float32Array<ArrayBuffer>) =>
    new Uint8Array(numbers.buffer);
  // The wider numbers first: both are aligned, whatever the dimensions.
  return new Map<string, Tensor>([
    [TENSORS.weights, { type: 'F32', shape: [weights.length], bytes: bytesOf(scaled) }],
    [TENSORS.embeddings, { type: 'I8', shape: [weights.length, dimensions], bytes: bytesOf(embeddings) }],
  ]);
}

async function copyIfThere(from: string, to: string, name: string): Promise<void> {
  await copyFile(join(from, name), join(to, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

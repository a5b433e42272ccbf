import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { z } from 'zod';
import { EmbedlineError } from '../errors.ts';

export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

export async function readOptionalJson<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  return (await isFile(file)) ? readJson(file, schema) : null;
}

/** @throws EmbedlineError MODEL_INVALID */
export async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `${file} is not what a sentence-transformers or Model2Vec model has there. Fetch the model again.`,
      { cause },
    );
  }
}

/** SHA-256 of a file's bytes, in hex. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const block of createReadStream(file)) hash.update(block as Buffer);
  return hash.digest('hex');
}

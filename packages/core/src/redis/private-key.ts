import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readPrivateFile, writePrivateFile } from '../state/private-file.ts';

/**
 * The file with the key that the users of a private Redis sign with, made when it is absent. Whoever calls this has the
 * server's mutex.
 */
export async function ensureSigningKey(directory: string): Promise<string> {
  const file = join(directory, 'signing.key');
  if ((await readPrivateFile(file)) === null)
    await writePrivateFile(file, `${randomBytes(32).toString('hex')}\n`);
  return file;
}

import { createHash } from 'node:crypto';
import { glob, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Every file below a directory, with a hash of what it holds. */
export async function treeOf(directory: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for await (const name of glob('**/*', { cwd: directory })) {
    const path = join(directory, name);
    if (!(await stat(path)).isFile()) continue;
    hashes[name] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  }
  return hashes;
}

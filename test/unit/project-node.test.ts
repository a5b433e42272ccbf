import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { temporaryDirectory } from '../support/temporary.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const choice = z.union([
  z.object({ path: z.string(), version: z.string(), origin: z.string(), problem: z.null() }),
  z.object({ problem: z.string() }),
]);
const own = z.object({ path: z.string(), version: z.string() });
const { chooseNode } = z
  .object({ chooseNode: z.function({ input: [z.string(), own], output: choice }) })
  .parse(await import(join(root, 'scripts/choose-node.mjs')));
const { NODE_PACKAGE, nodePackage } = z
  .object({
    NODE_PACKAGE: z.string(),
    nodePackage: z.function({ input: [z.string(), z.string()], output: z.string() }),
  })
  .parse(await import(join(root, 'scripts/run-with-node24.mjs')));

/** A project whose platform package is the shell script given, or that has none. */
async function project(script: string | null): Promise<string> {
  const folder = await temporaryDirectory();
  await writeFile(join(folder, 'package.json'), '{}');
  if (script === null) return folder;
  const bin = join(folder, 'node_modules', NODE_PACKAGE, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, '../package.json'), '{}');
  await writeFile(join(bin, 'node'), `#!/bin/sh\n${script}\n`);
  await chmod(join(bin, 'node'), 0o755);
  return folder;
}

describe("14.12: which Node runs the project's programs", () => {
  const recent = { path: '/opt/node/bin/node', version: '25.1.0' };
  const old = { path: '/usr/bin/node', version: '20.20.2' };

  test("is the project's own where it is installed", async () => {
    const folder = await project('echo v24.21.0');
    expect(chooseNode(folder, recent)).toMatchObject({
      version: '24.21.0',
      path: join(folder, 'node_modules', NODE_PACKAGE, 'bin/node'),
      origin: `the project's own, from node_modules/${NODE_PACKAGE}`,
    });
  });

  test.each([
    ['is not installed', null],
    ['does not run on this system', 'exit 127'],
    ['is Node 22.1.0', 'echo v22.1.0'],
  ])("is the user's recent one when the project's %s, and says so", async (reason, script) => {
    const folder = await project(script);
    expect(chooseNode(folder, recent)).toEqual({
      ...recent,
      problem: null,
      origin: `/opt/node/bin/node, because ${NODE_PACKAGE} ${reason}`,
    });
    expect(chooseNode(folder, old).problem).toContain(`this is Node 20.20.2, and ${NODE_PACKAGE} ${reason}`);
  });

  test('the lockfile has the hash of every Node that may be installed, and none needs a script', async () => {
    const entry = z.looseObject({
      integrity: z.string().optional(),
      hasInstallScript: z.boolean().optional(),
      link: z.boolean().optional(),
    });
    const { packages } = z
      .object({ packages: z.record(z.string(), entry) })
      .parse(JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')));
    const { optionalDependencies } = z
      .object({ optionalDependencies: z.record(z.string(), z.string()) })
      .parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
    const names = Object.keys(optionalDependencies);
    expect(names).toEqual(
      expect.arrayContaining([
        nodePackage('linux', 'x64'),
        nodePackage('linux', 'arm64'),
        nodePackage('darwin', 'arm64'),
        nodePackage('darwin', 'x64'),
        nodePackage('win32', 'x64'),
      ]),
    );
    for (const name of names) {
      expect(packages[`node_modules/${name}`]?.integrity).toMatch(/^sha512-/);
      expect(packages[`node_modules/${name}`]?.hasInstallScript).toBeUndefined();
    }
    const unhashed = Object.entries(packages)
      .filter(([path, { integrity, link }]) => /node_modules\//.test(path) && link !== true && !integrity)
      .map(([path]) => path);
    expect(unhashed).toEqual([]);
    expect(await readFile(join(root, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
  });
});

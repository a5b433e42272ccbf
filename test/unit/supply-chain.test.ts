import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (name: string) => readFile(join(root, name), 'utf8');
const lockfile = await read('package-lock.json');
const { licensesOf, withPackages } = z
  .object({
    licensesOf: z.function({ input: [z.string()], output: z.map(z.string(), z.string()) }),
    withPackages: z.function({ input: [z.string(), z.string()], output: z.string() }),
  })
  .parse(await import(join(root, 'scripts/notice.mjs')));

/** Licenses that ask for a notice at most. sqlite-vec says "MIT OR Apache" for MIT OR Apache-2.0. */
const ALLOWED = new Set([
  '(MIT OR CC0-1.0)',
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT OR Apache',
]);

describe('14.16: the packages of an installation', () => {
  const licenses = licensesOf(lockfile);

  test('have licenses that are allowed', () => {
    expect(licenses.size).toBeGreaterThan(60);
    expect([...licenses].filter(([, license]) => !ALLOWED.has(license))).toEqual([]);
  });

  test('are those of NOTICE (npm run notice writes them)', async () => {
    const notice = await read('NOTICE');
    expect(notice).toBe(withPackages(notice, lockfile));
    for (const name of ['bullmq', 'onnxruntime-node', 'yaml', 'sqlite-vec-darwin-arm64'])
      expect(notice).toContain(`\n  ${name}\n`);
  });

  test('hold no image library, and another license than the allowed ones is found', () => {
    expect([...licenses.keys()].filter((name) => /sharp|libvips|onnxruntime-web/.test(name))).toEqual([]);
    const forged = JSON.stringify({
      packages: {
        'node_modules/@img/sharp': { license: 'LGPL-3.0' },
        'packages/core/node_modules/nested': {},
        'node_modules/tool': { license: 'GPL-3.0', dev: true },
      },
    });
    expect([...licensesOf(forged)]).toEqual([
      ['@img/sharp', 'LGPL-3.0'],
      ['nested', 'UNKNOWN'],
    ]);
  });
});

describe('14.16: the workflows', async () => {
  const folder = join(root, '.github/workflows');
  const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name));
  const step = z.looseObject({ uses: z.string().optional(), run: z.string().optional() });
  const workflow = z.looseObject({
    permissions: z.record(z.string(), z.string()),
    jobs: z.record(z.string(), z.looseObject({ steps: z.array(step) })),
  });
  const steps = await Promise.all(
    names.map(async (name) => {
      const { jobs, permissions } = workflow.parse(parse(await readFile(join(folder, name), 'utf8')));
      expect(permissions).toEqual({ contents: 'read' });
      return Object.values(jobs).flatMap((job) => job.steps);
    }),
  );
  const runs = steps.flat().flatMap(({ run }) => (run === undefined ? [] : [run]));

  test('use actions by commit alone', () => {
    const uses = steps.flat().flatMap(({ uses: action }) => (action === undefined ? [] : [action]));
    expect(uses.length).toBeGreaterThan(1);
    expect(uses.filter((action) => !/^[\w./-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
  });

  test('run no install script, ask for known vulnerabilities and write an SBOM', () => {
    const installs = runs.filter((run) => /\bnpm (?:ci|i|install)\b/.test(run));
    expect(installs.length).toBeGreaterThan(0);
    expect(installs.filter((run) => !run.includes('--ignore-scripts'))).toEqual([]);
    expect(runs).toContain('npm audit --omit=dev --audit-level=high');
    expect(runs.some((run) => run.includes('npm run --silent sbom'))).toBe(true);
  });
});

import { glob, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = await Array.fromAsync(glob('{packages,apps}/*/src/**/*.ts', { cwd: root }));
const sources = await Promise.all(
  files.map(async (file) => {
    const text = await readFile(join(root, file), 'utf8');
    const imports = [
      ...text.matchAll(
        /(?:^|\s)(?:import|export)\s[^;]*?from '([^']+)'|import\('([^']+)'\)|import '([^']+)'/gm,
      ),
    ].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
    return {
      file,
      text,
      imports: imports.map((specifier) =>
        specifier.startsWith('.') ? relative(root, join(root, dirname(file), specifier)) : specifier,
      ),
    };
  }),
);

/** Files that import a package, or read something global, and are not meant to. */
function offenders(test: (source: (typeof sources)[number]) => boolean, allowed: RegExp): string[] {
  return sources.filter((source) => test(source) && !allowed.test(source.file)).map(({ file }) => file);
}

const importers = (name: string) => (source: (typeof sources)[number]) =>
  source.imports.some((specifier) => specifier === name || specifier.startsWith(`${name}/`));

test('there is something to check', () => {
  expect(sources.length).toBeGreaterThan(60);
  expect(sources.flatMap(({ imports }) => imports)).toContain('bullmq');
});

test('apps know core through its front door, and not each other; core knows no app', () => {
  expect(
    offenders(
      ({ imports }) => imports.some((specifier) => specifier.startsWith('packages/core')),
      /^packages\/core/,
    ),
  ).toEqual([]);
  expect(
    offenders(
      ({ imports }) => imports.some((specifier) => specifier.startsWith('apps/worker')),
      /^apps\/worker/,
    ),
  ).toEqual([]);
  expect(
    offenders(
      ({ imports }) => imports.some((specifier) => specifier.startsWith('apps/producer')),
      /^apps\/producer/,
    ),
  ).toEqual([]);
  expect(offenders(importers('@embedline/core'), /^apps\//)).toEqual([]);
});

test('files do not import each other in a circle: each can be read after those that it needs', () => {
  const importsOf = new Map(sources.map(({ file, imports }) => [file, imports]));
  const reaches = (from: string, to: string, passed = new Set<string>()): boolean =>
    (importsOf.get(from) ?? []).some((next) => {
      if (next === to) return true;
      if (passed.has(next)) return false;
      passed.add(next);
      return reaches(next, to, passed);
    });
  expect(files.filter((file) => reaches(file, file))).toEqual([]);
});

test.each([
  ['@qdrant/js-client-rest', /vector-store\/qdrant\//],
  ['sqlite-vec', /vector-store\/sqlite\/database\.ts$/],
  ['node:sqlite', /vector-store\/sqlite\/|redis\/file-mutex\.ts$|ingest\/temporary-database\.ts$/],
  ['@embedline/kernel', /embedder\/(?:engine|tuning)\/|core\/src\/config\.ts$/],
  ['onnxruntime-node', /embedder\/engine\/onnxruntime-engine\.ts$/],
  ['ml-matrix', /embedder\/static\/principal-components\.ts$/],
  ['@lezer/markdown', /chunking\/(?:markdown-blocks|markup\/inline-(?:edits|parser))\.ts$/],
  ['htmlparser2', /chunking\/markup\/html-edits\.ts$/],
  ['@huggingface/tokenizers', /embedder\/tokenizer\.ts$/],
  ['bullmq', /core\/src\/(queue\.ts$|bounded-worker\.ts$|schedule\/)|worker\/src\/run-queue\.ts$/],
  ['ioredis', /core\/src\/redis\//],
  ['cron-parser', /schedule\/cron\.ts$/],
  ['pino', /logger\.ts$/],
  ['commander', /apps\/producer\/src\/command-line\/|apps\/worker\/src\/main\.ts$/],
])('%s stays where it belongs', (name, allowed) => {
  expect(offenders(importers(name), allowed)).toEqual([]);
  expect(sources.some(importers(name))).toBe(true);
});

test('adapters are loaded by create.ts alone, and only when they are wanted', () => {
  const adapters = [
    'packages/core/src/vector-store/qdrant/qdrant-store.ts',
    'packages/core/src/vector-store/sqlite/sqlite-store.ts',
    'packages/core/src/embedder/local-embedder.ts',
    'packages/core/src/embedder/static/static-embedder.ts',
  ];
  for (const adapter of adapters) {
    const others = sources
      .filter(({ file, imports }) => imports.includes(adapter) && dirname(file) !== dirname(adapter))
      .map(({ file }) => basename(file));
    expect(others.filter((file) => file !== 'create.ts')).toEqual([]);
  }
  expect(sources.find(({ file }) => file.endsWith('vector-store/create.ts'))?.text).not.toMatch(
    /^import \{.*from '\.\/(qdrant|sqlite)/m,
  );
});

test('the environment, signals and the console have one place each', () => {
  expect(
    offenders(
      ({ text }) => /process\.env/.test(text),
      /config\.ts$|style\.ts$|locate-server\.ts$|child-environment\.ts$|ingest-process\.ts$/,
    ),
  ).toEqual([]);
  expect(
    offenders(
      ({ text }) => /(?<!#)\bprocess\.(on|once|exit)\(/.test(text),
      /lifecycle\.ts$|producer\/src\/cli\.ts$|main\.ts$|inference-process\.ts$|watch-server\.ts$/,
    ),
  ).toEqual([]);
  expect(offenders(({ text }) => /console\./.test(text), /qdrant\/connection\.ts$/)).toEqual([]);
});

test('no file holds more than a person can keep in mind', () => {
  expect(sources.filter(({ text }) => text.split('\n').length > 280).map(({ file }) => file)).toEqual([]);
});

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { locateServer } from '../../packages/core/src/redis/locate-server.ts';
import { callHook } from '../../apps/producer/src/serve/call-hook.ts';
import { failureHookSchema } from '../../apps/producer/src/pipeline/failure-hook.ts';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';

/** What a person may have in the environment. Many of these names hold no word such as "secret". */
const OTHERS = {
  AWS_SECRET_ACCESS_KEY: 'planted-aws',
  DATABASE_URL: 'postgres://me:planted-database@db/x',
  GITHUB_PAT: 'planted-github',
  NETRC: 'planted-netrc',
  SENTRY_DSN: 'https://planted-sentry@sentry.example/1',
  STRIPE_SK: 'planted-stripe',
} as const;
/** What is embedline's own, and for workers alone. */
const OWN = {
  EMBEDLINE_SIGNING_KEY: 'planted-signing-key-planted-signing-key-planted',
  HF_TOKEN: 'hf_planted',
  QDRANT_API_KEY: 'planted-qdrant',
} as const;
const PROXIES = { HTTPS_PROXY: 'http://me:planted-proxy@proxy.example:3128' } as const;

/** Children of embedline by a part of their command line. */
const CHILDREN = {
  worker: /apps\/worker\/src\/main\.ts/,
  inference: /inference-process\.ts/,
  watcher: /watch-server\.ts/,
  command: /source\.mjs/,
} as const;
type Child = keyof typeof CHILDREN | 'redis';

/** Redis writes its title over its environment: it is started by a program that copies it first. */
async function wrapRedis({ directory, env }: TestBench): Promise<void> {
  const { path } = z
    .object({ path: z.string() })
    .parse(await locateServer({ noInstall: true, announce() {} }));
  const script = `#!/bin/sh\ncat /proc/self/environ > '${directory}/redis-environ'\nexec '${path}' "$@"\n`;
  await mkdir(join(directory, 'bin'));
  await writeFile(join(directory, 'bin', 'redis-server'), script, { mode: 0o755 });
  env['PATH'] = `${join(directory, 'bin')}:${env['PATH'] ?? ''}`;
}

afterEach(() => void vi.unstubAllEnvs());

/** The environment of each child of the embedline with this home, as /proc shows it. */
async function environments(home: string): Promise<Map<Child, string[]>> {
  const found = new Map<Child, string[]>();
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const [line, text] = await Promise.all(
      ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
    );
    const variables = (text ?? '').split('\0');
    if (!variables.includes(`EMBEDLINE_HOME=${home}`)) continue;
    for (const [child, pattern] of Object.entries(CHILDREN))
      if (pattern.test(line ?? '')) found.set(child as Child, variables);
  }
  return found;
}

test('children get an allow-listed environment: no credential of the user, and embedline’s own only where needed', async () => {
  const bench = await testBench({ ...OTHERS, ...OWN, ...PROXIES, REDIS_URL: '', LC_TIME: 'C', UNKNOWN: 'x' });
  await wrapRedis(bench);
  const record = jsonl(Array.from({ length: 100 }, (_, id) => ({ id: `${id}`, text: `Text ${id}.` })));
  const program = `
    import { existsSync } from 'node:fs';
    process.stdout.write(${JSON.stringify(record)});
    const timer = setInterval(() => existsSync('go') && clearInterval(timer), 20);`;
  await writeFile(join(bench.directory, 'source.mjs'), program);
  const source = { command: [process.execPath, 'source.mjs'], environment: ['GITHUB_PAT', 'NOT_SET'] };
  const config = { pipelines: { docs: { sources: [source], workers: 1 } } };
  await writeFile(join(bench.directory, 'embedline.config.json'), JSON.stringify(config));
  const ingest = bench.start(['ingest', 'docs']);
  const seen = new Map<Child, string[]>();
  await until('every child has run', async () => {
    if (ingest.process.exitCode !== null)
      throw new Error(`Only ${[...seen.keys()].join()}: ${ingest.output()}`);
    for (const [child, variables] of await environments(bench.directory)) seen.set(child, variables);
    // Texts reach the model when their source has ended.
    if (seen.has('command') && seen.has('worker')) await writeFile(join(bench.directory, 'go'), '');
    return seen.size === Object.keys(CHILDREN).length;
  });
  seen.set('redis', (await readFile(join(bench.directory, 'redis-environ'), 'utf8')).split('\0'));
  expect((await ingest.result).code, ingest.output()).toBe(0);

  for (const [child, variables] of seen) {
    const names = variables.map((variable) => variable.split('=', 1)[0] ?? '');
    expect(names, child).toEqual(expect.arrayContaining(['PATH', 'LC_TIME', 'EMBEDLINE_HOME']));
    const others = Object.keys({ ...OTHERS, UNKNOWN: '' }).filter((name) => names.includes(name));
    expect(others, child).toEqual(child === 'command' ? ['GITHUB_PAT'] : []);
    const own = Object.keys({ REDIS_URL: '', ...OWN }).filter((name) => names.includes(name));
    expect(own, child).toEqual(child === 'worker' ? ['REDIS_URL', ...Object.keys(OWN)] : []);
    expect(names.includes('HTTPS_PROXY'), child).toBe(child === 'worker' || child === 'command');
  }
});

test('a hook gets an allow-listed environment and the variables that it names', async () => {
  for (const [name, value] of Object.entries({ ...OTHERS, ...OWN })) vi.stubEnv(name, value);
  const directory = await temporaryDirectory();
  const copy = `require('fs').writeFileSync('seen', require('fs').readFileSync('/proc/self/environ'))`;
  const hook = failureHookSchema.parse({
    command: [process.execPath, '-e', copy],
    environment: ['SENTRY_DSN'],
  });
  await callHook(hook, '{}', directory, new AbortController().signal);
  const seen = await readFile(join(directory, 'seen'), 'utf8');
  expect(seen).toContain('PATH=');
  expect(seen).toContain(`SENTRY_DSN=${OTHERS.SENTRY_DSN}`);
  expect(seen.replace(OTHERS.SENTRY_DSN, '')).not.toContain('planted');
});

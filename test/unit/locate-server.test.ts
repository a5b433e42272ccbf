import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { locateServer } from '../../packages/core/src/redis/locate-server.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';

afterEach(() => vi.unstubAllEnvs());

/** A machine without a Redis, whose apt-get and docker note what they are asked for. */
async function bareMachine({ installs = true } = {}) {
  const bin = await temporaryDirectory();
  const journal = join(bin, 'journal');
  const program = async (name: string, text: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\necho "${name} $*" >>'${journal}'\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  };
  const made = `printf '#!/bin/sh\\n' >'${bin}/redis-server'; /bin/chmod +x '${bin}/redis-server'`;
  await program('apt-get', installs ? `[ "$1" = install ] && { ${made}; }; true` : 'exit 100');
  await program('docker', 'case "$1" in info) echo 27;; *) exit 1;; esac');
  vi.stubEnv('PATH', bin);
  return { bin, journal: () => readFile(journal, 'utf8').catch(() => '') };
}

describe('14.13: a Redis is installed', () => {
  const said: string[] = [];
  const options = {
    noInstall: false,
    canInstall: () => Promise.resolve(true),
    announce: (text: string) => void said.push(text),
  };

  test('after saying so, and only after the time to object', async () => {
    const { bin, journal } = await bareMachine();
    said.length = 0;
    expect(await locateServer({ ...options, objectionMs: 30 })).toEqual({
      kind: 'binary',
      path: join(bin, 'redis-server'),
    });
    expect(said.at(-1)).toContain('installs redis-server with apt-get in 0.03 seconds. Press Ctrl-C to stop');
    expect(await journal()).toContain('apt-get install -y --no-install-recommends redis-server');
  });

  test('not when somebody objects', async () => {
    const { journal } = await bareMachine();
    said.length = 0;
    const objection = new AbortController();
    const located = locateServer({ ...options, objectionMs: 600_000, signal: objection.signal });
    const refused = expect(located).rejects.toThrow(/abort/);
    await until('it is announced', () => said.some((text) => text.includes('apt-get')));
    objection.abort();
    await refused;
    expect(await journal()).not.toContain('apt-get');
  });

  test.each([
    ['the user forbids it', { noInstall: true }],
    ['the user may not install packages', { canInstall: () => Promise.resolve(false) }],
  ])('not when %s', async (_, changes) => {
    const { journal } = await bareMachine();
    await expect(locateServer({ ...options, ...changes })).rejects.toMatchObject({
      code: 'REDIS_NOT_INSTALLED',
    });
    expect(await journal()).not.toContain('apt-get');
  });

  // As root on Debian these did install; elsewhere the journal holds what they would ask Docker for.
  test.each([
    [['status']],
    [['runs', 'list']],
    [['failed', 'list']],
    [['schedule', 'list']],
    [['runs', 'prune']],
    [['collections', 'rollback', 'docs']],
    [['search', 'text']],
  ])('not by a command that only looks, or tidies up: %j', async (args) => {
    const { journal } = await bareMachine();
    const directory = await temporaryDirectory();
    const env = { EMBEDLINE_HOME: join(directory, 'state'), EMBEDLINE_NO_INSTALL: '0' };
    const { code } = await runInProcess({ directory, env }, args);
    expect(code).not.toBe(0);
    expect(await journal()).not.toMatch(/apt-get|pull/);
  });
});

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { acquireRedis, connectRedis, loadConfig, openVectorStore, probeRedis } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseRedisUrl } from '../../packages/core/src/redis/parse-url.ts';
import { serverUrl } from '../../packages/core/src/redis/server-address.ts';
import { quoted } from '../../packages/core/src/redis/server-process.ts';
import { readStateFile, writeStateEntry } from '../../packages/core/src/state/state-file.ts';
import { z } from 'zod';
import { jsonl, testBench } from '../support/cli.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const PASSWORD = 'a'.repeat(48);
const acquire = (dataDirectory: string) =>
  acquireRedis({ dataDirectory, noInstall: true, announce: () => undefined });

/** As a folder of state comes with a repository: readable by all. */
async function cloned(files: Record<string, string>): Promise<string> {
  const home = join(await temporaryDirectory(), 'home');
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(home, name, '..'), { recursive: true, mode: 0o755 });
    await writeFile(join(home, name), text, { mode: 0o644 });
  }
  return home;
}

/** A server that answers as a Redis would at a TCP port, and keeps what it was sent. */
async function listener() {
  let heard = '';
  const server = createServer((socket) => {
    socket.on('data', (block: Buffer) => {
      heard += block.toString();
      socket.write('+OK\r\n');
    });
    socket.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, heard: () => heard };
}

async function everyFile(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.map(({ parentPath, name }) => join(parentPath, name));
}

describe('a planted server.json', () => {
  test('leads nobody to another host, whatever its password and host', async () => {
    const { port, heard } = await listener();
    const attacks = [
      { port: 1, password: `attacker@127.0.0.1:${port}/0?x=` },
      { port, password: 'x' },
      { host: '127.0.0.1', port, password: PASSWORD, socket: `127.0.0.1:${port}` },
      { socket: `//127.0.0.1:${port}`, password: PASSWORD },
      { socket: '/tmp/x.sock', password: `${PASSWORD}\r\nFLUSHALL` },
      { socket: '/proc/self/fd/0', password: PASSWORD },
      'server.json',
      null,
    ];
    for (const attack of attacks) {
      const home = await temporaryDirectory();
      await mkdir(join(home, 'redis'), { mode: 0o700 });
      await writeFile(join(home, 'redis', 'server.json'), JSON.stringify(attack), { mode: 0o600 });
      const lease = await acquire(home);
      expect(lease.origin, JSON.stringify(attack)).toBe('started');
      expect(parseRedisUrl(lease.url)).toMatchObject({
        kind: 'socket',
        path: join(home, 'redis', 'redis.sock'),
      });
      await lease.close();
    }
    expect(heard()).toBe('');
  });

  test('of a socket in a folder that others may look into is not spoken to', async () => {
    const home = await temporaryDirectory();
    const open = await temporaryDirectory();
    let connections = 0;
    const server = createServer((socket) => void socket.end(`+OK ${(connections += 1)}\r\n`));
    server.listen(join(open, 'x.sock'));
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    await chmod(open, 0o755);
    await mkdir(join(home, 'redis'), { mode: 0o700 });
    const planted = JSON.stringify({ socket: join(open, 'x.sock'), password: PASSWORD });
    await writeFile(join(home, 'redis', 'server.json'), planted, { mode: 0o600 });
    const lease = await acquire(home);
    expect(lease.origin).toBe('started');
    await lease.close();
    expect(connections).toBe(0);
  });

  test('a URL of a socket means that socket, whatever its characters', () => {
    for (const socket of ['/a b/@:%?#&/x.sock', '/ü/"/redis.sock', "/$(x)/'/redis.sock"])
      expect(parseRedisUrl(serverUrl({ socket, password: 'p@:/?#%' }))).toMatchObject({
        kind: 'socket',
        path: socket,
        login: { password: 'p@:/?#%' },
      });
    expect(quoted('/a"\n\\b')).toBe('"/a\\x22\\x0a\\x5cb"');
  });
});

describe('a planted link', () => {
  const LINKED = ['redis.conf', 'redis.log', 'server.json', 'mutex.db', 'mutex.db-journal', 'appendonly.aof'];
  test.each([...LINKED, 'temp-rewriteaof-1.aof', 'appendonlydir/x.aof'])(
    'redis/%s is not followed',
    async (name) => {
      const home = await temporaryDirectory();
      const precious = join(home, 'precious');
      await writeFile(precious, 'precious', { mode: 0o600 });
      await mkdir(join(home, 'redis', name, '..'), { recursive: true, mode: 0o700 });
      await symlink(precious, join(home, 'redis', name));
      await expect(acquire(home)).rejects.toMatchObject({ code: 'STATE_UNSAFE' });
      expect(await readFile(precious, 'utf8')).toBe('precious');
    },
  );

  test.each(['redis', 'vectors'])('as the folder %s is not followed', async (name) => {
    const home = await temporaryDirectory();
    const elsewhere = await temporaryDirectory();
    await symlink(elsewhere, join(home, name));
    const config = loadConfig({ EMBEDLINE_HOME: home });
    const opened = name === 'redis' ? acquire(home) : openVectorStore(config);
    await expect(opened).rejects.toMatchObject({ code: 'STATE_UNSAFE', message: /symbolic link/ });
    expect(await readdir(elsewhere)).toEqual([]);
  });

  test.each(['meta.db', 'meta.db-wal', 'meta.db-journal'])('vectors/%s is not followed', async (name) => {
    const home = await temporaryDirectory();
    const precious = join(home, 'precious');
    await mkdir(join(home, 'vectors'), { mode: 0o700 });
    await symlink(precious, join(home, 'vectors', name));
    const config = loadConfig({ EMBEDLINE_HOME: home });
    await expect(openVectorStore(config)).rejects.toMatchObject({ code: 'STATE_UNSAFE' });
    expect(existsSync(precious)).toBe(false);
  });

  test('a state file is neither read nor written through it, and a pipe is not waited for', async () => {
    const home = await temporaryDirectory();
    const precious = join(home, 'precious');
    await writeFile(precious, '{"x":1}');
    await symlink(precious, join(home, 'x.json'));
    const state = { home, name: 'x.json', version: 1, entry: z.number(), maxEntries: 5 };
    await expect(readStateFile(state)).rejects.toMatchObject({ code: 'STATE_UNSAFE' });
    await expect(writeStateEntry(state, 'y', 2)).rejects.toMatchObject({ code: 'STATE_UNSAFE' });
    expect(await readFile(precious, 'utf8')).toBe('{"x":1}');
  });
});

test.each(['appendonlydir/appendonly.aof.manifest', 'appendonly.aof', 'dump.rdb'])(
  'a planted redis/%s is not loaded',
  async (name) => {
    const home = await cloned({ [`redis/${name}`]: 'file x seq 1 type b\n' });
    await expect(acquire(home)).rejects.toMatchObject({
      code: 'STATE_UNSAFE',
      message: expect.stringMatching(/was not loaded.*chmod -R go=/),
    });
  },
);

describe('the folder of state', () => {
  test('of another user is refused', async () => {
    const isRoot = process.getuid?.() === 0;
    const home = isRoot ? await temporaryDirectory() : '/usr';
    if (isRoot) await chown(home, 12_345, 12_345);
    await expect(acquire(home)).rejects.toMatchObject({ code: 'STATE_UNSAFE', message: /another user/ });
    const config = loadConfig({ EMBEDLINE_HOME: home });
    await expect(openVectorStore(config)).rejects.toMatchObject({ code: 'STATE_UNSAFE' });
  });

  test.each([0o777, 0o770, 0o702, 0o1777])('with mode %o is refused', async (mode) => {
    const home = await temporaryDirectory();
    await chmod(home, mode);
    await expect(acquire(home)).rejects.toMatchObject({ code: 'STATE_UNSAFE', message: /chmod -R go=/ });
    const state = { home, name: 'x.json', version: 1, entry: z.number(), maxEntries: 5 };
    await expect(readStateFile(state)).rejects.toMatchObject({ code: 'STATE_UNSAFE' });
    expect(await readdir(home)).toEqual([]);
  });

  test('and every file in it are the user’s alone, also those that an earlier version left open to others', async () => {
    const umask = process.umask(0o022);
    onTestFinished(() => void process.umask(umask));
    const bench = await testBench({ REDIS_URL: '' });
    const home = join(bench.directory, 'home');
    bench.env['EMBEDLINE_HOME'] = home;
    await mkdir(join(home, 'vectors'), { recursive: true, mode: 0o755 });
    await writeFile(join(home, 'vectors', 'meta.db'), '', { mode: 0o644 });
    const text = jsonl([{ id: 'a', text: 'x y' }]);
    const ingested = await bench.run(['ingest', '-', '--collection', 'docs', '--workers', '1'], text);
    expect(ingested.code, ingested.stderr).toBe(0);
    const files = [home, ...(await everyFile(home))];
    expect(files.join('\n')).toMatch(/docs--g1-\w+\.db.*|appendonlydir/);
    for (const file of files) expect((await lstat(file)).mode & 0o077, file).toBe(0);
  });
});

test('the private Redis listens at a Unix socket and at no TCP port, in a folder of any name', async () => {
  const parent = await temporaryDirectory();
  for (const name of ['home', 'a "quoted" \\ name\nof two lines ü', 'x'.repeat(120)]) {
    const home = join(parent, name);
    const lease = await acquire(home);
    const address = parseRedisUrl(lease.url);
    expect(address.kind).toBe('socket');
    const socket = 'path' in address ? address.path : '';
    expect((await lstat(join(socket, '..'))).mode & 0o777).toBe(0o700);
    const redis = connectRedis({ url: lease.url, role: 'producer' });
    expect(await redis.config('GET', 'port')).toEqual(['port', '0']);
    expect(await redis.config('GET', 'dir')).toEqual(['dir', join(home, 'redis')]);
    redis.disconnect();
    await lease.close();
    expect(await probeRedis(lease.url).catch(() => 'it is stopped')).toBe('it is stopped');
    if (!socket.startsWith(parent)) await rm(join(socket, '..'), { recursive: true });
  }
});

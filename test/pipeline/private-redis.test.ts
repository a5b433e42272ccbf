import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { acquireRedis, checkRedis, connectRedis, probeRedis } from '@embedline/core';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { testBench } from '../support/cli.ts';
import { testRedis } from '../support/redis.ts';
import { serverUrl, type ServerAddress } from '../../packages/core/src/redis/server-address.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';

const announce = () => undefined;
const acquire = (dataDirectory: string) => acquireRedis({ dataDirectory, noInstall: true, announce });
const answers = (url: string) =>
  probeRedis(url).then(
    () => true,
    () => false,
  );

/** A process that holds a lease until it is killed. */
async function holder(dataDirectory: string) {
  const core = fileURLToPath(new URL('../../packages/core/src/index.ts', import.meta.url));
  const program = `
    const { acquireRedis } = await import(${JSON.stringify(core)});
    const lease = await acquireRedis({ dataDirectory: ${JSON.stringify(dataDirectory)}, noInstall: true, announce() {} });
    console.log(lease.origin);
    process.on('SIGTERM', () => lease.close().then(() => process.exit(0)));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  await until('the lease is held', () => output !== '');
  return { child, origin: output.trim(), exited: new Promise((resolve) => child.once('exit', resolve)) };
}

/** Their process IDs, by words of their command lines. */
async function processesWith(...words: string[]): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,args=']);
  const lines = stdout.split('\n').filter((line) => words.every((word) => line.includes(word)));
  return lines.map((line) => Number.parseInt(line, 10));
}

async function urlIn(directory: string): Promise<string> {
  return serverUrl(
    JSON.parse(await readFile(join(directory, 'redis', 'server.json'), 'utf8')) as ServerAddress,
  );
}

describe('the private Redis', () => {
  test('is started by the first, joined by others, and stopped by the last; its data stays', async () => {
    const directory = await temporaryDirectory();
    const [first, second] = await Promise.all([acquire(directory), acquire(directory)]);
    expect([first.origin, second.origin].sort()).toEqual(['joined', 'started']);
    expect(second.url).toBe(first.url);
    const redis = connectRedis({ url: first.url, role: 'producer' });
    await redis.set('kept', 'yes');
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    redis.disconnect();
    await first.close();
    await first.close();
    expect(await answers(second.url)).toBe(true);
    await second.close();
    expect(await answers(second.url)).toBe(false);
    const third = await acquire(directory);
    const again = connectRedis({ url: third.url, role: 'producer' });
    expect(await again.get('kept')).toBe('yes');
    again.disconnect();
    await third.close();
  });

  test('outlives a user that was killed, and is stopped by the next one that leaves', async () => {
    const directory = await temporaryDirectory();
    const victim = await holder(directory);
    expect(victim.origin).toBe('started');
    victim.child.kill('SIGKILL');
    await victim.exited;
    const next = await acquire(directory);
    expect(next.origin).toBe('joined');
    await next.close();
    expect(await answers(next.url)).toBe(false);
  });

  test('that dies is started again by one of its users, at its address and with its data, and that is said', async () => {
    const directory = await temporaryDirectory();
    const said: string[] = [];
    const user = () =>
      acquireRedis({ dataDirectory: directory, noInstall: true, announce: (text) => said.push(text) });
    const leases = await Promise.all([user(), user()]);
    const [{ url }] = leases;
    const redis = connectRedis({ url, role: 'producer' });
    onTestFinished(() => redis.disconnect());
    await redis.set('kept', 'yes');
    await redis.config('SET', 'appendfsync', 'always');
    await redis.set('kept', 'yes');
    const pid = async () => Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1]);
    const first = await pid();
    process.kill(first, 'SIGKILL');
    await until('it is back', () => said.length > 0);
    expect(await redis.get('kept')).toBe('yes');
    expect(await pid()).not.toBe(first);
    expect(said).toEqual(['The private Redis had ended, and was started again from its append-only file.']);
    for (const lease of leases) await lease.close();
    await until('it is stopped', async () => !(await answers(url)));
  });

  test('whose users were all killed is stopped within seconds', async () => {
    const directory = await temporaryDirectory();
    const [a, b] = await Promise.all([holder(directory), holder(directory)]);
    const url = await urlIn(directory);
    a.child.kill('SIGKILL');
    b.child.kill('SIGKILL');
    await Promise.all([a.exited, b.exited]);
    expect(await answers(url)).toBe(true);
    await until('it is stopped', async () => !(await answers(url)));
  });

  test('is watched again when its watcher was killed, also by users that joined it', async () => {
    const directory = await temporaryDirectory();
    const [a, b] = await Promise.all([holder(directory), holder(directory)]);
    const url = await urlIn(directory);
    const redis = connectRedis({ url, role: 'producer' });
    onTestFinished(() => redis.disconnect());
    const watchers = async () =>
      String(await redis.client('LIST')).split(' name=embedline-watcher ').length - 1;
    await until('it is watched', async () => (await watchers()) === 1);
    for (const pid of await processesWith('watch-server.ts', directory)) process.kill(pid, 'SIGKILL');
    await until('it is not', async () => (await watchers()) === 0);
    if (a.origin === 'started') a.child.kill('SIGKILL');
    else b.child.kill('SIGKILL');
    await until('it is watched again', async () => (await watchers()) > 0);
    redis.disconnect();
    a.child.kill('SIGKILL');
    b.child.kill('SIGKILL');
    await until('it is stopped', async () => !(await answers(url)));
  });

  test('is stopped when its user ends while it starts', async () => {
    const directory = await temporaryDirectory();
    const stop = new AbortController();
    const acquiring = acquireRedis({
      dataDirectory: directory,
      noInstall: true,
      announce,
      signal: stop.signal,
    });
    const outcome = acquiring.then(
      () => 'acquired',
      () => 'stopped',
    );
    // Written just before the server is started.
    await until('it is to be started', () => existsSync(join(directory, 'redis', 'redis.conf')));
    stop.abort();
    expect(await outcome).toBe('stopped');
    const url = await urlIn(directory);
    await until('it is there', () => answers(url));
    await until('it is stopped', async () => !(await answers(url)));
  });

  test('that refuses to be stopped holds nobody up', async () => {
    const directory = await temporaryDirectory();
    const lease = await acquire(directory);
    const redis = connectRedis({ url: lease.url, role: 'producer' });
    onTestFinished(async () => {
      await redis.acl('SETUSER', 'default', '+shutdown');
      const closed = new Promise((resolve) => redis.once('close', resolve));
      redis.shutdown('NOSAVE').catch(() => undefined);
      await closed;
      redis.disconnect();
    });
    // As it does by itself when it cannot write its append-only file.
    await redis.acl('SETUSER', 'default', '-shutdown');
    await lease.close();
    expect(await answers(lease.url)).toBe(true);
  });

  test('is shared by processes, and stays until the last of them has left', async () => {
    const directory = await temporaryDirectory();
    const [a, b] = await Promise.all([holder(directory), holder(directory)]);
    expect([a.origin, b.origin].sort()).toEqual(['joined', 'started']);
    const url = await urlIn(directory);
    a.child.kill('SIGTERM');
    await a.exited;
    expect(await answers(url)).toBe(true);
    b.child.kill('SIGTERM');
    await b.exited;
    expect(await answers(url)).toBe(false);
  });

  test('a state file of a server that is gone, or of another program, is replaced', async () => {
    const directory = await temporaryDirectory();
    await (await acquire(directory)).close();
    const { port } = new URL(inject('redisUrl'));
    await writeFile(
      join(directory, 'redis', 'server.json'),
      JSON.stringify({ port: Number(port), password: 'not-its-password' }),
    );
    const lease = await acquire(directory);
    expect(lease.origin).toBe('started');
    await lease.close();
    expect(await answers(inject('redisUrl'))).toBe(true);
  });

  test('whose state file has fields of a newer program is joined; a newer version’s file is refused and kept', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'redis', 'server.json');
    const lease = await acquire(directory);
    const text = await readFile(file, 'utf8');
    await writeFile(file, JSON.stringify({ ...(JSON.parse(text) as object), later: 1 }));
    const joined = await acquire(directory);
    expect(joined.origin).toBe('joined');
    await joined.close();
    const newer = JSON.stringify({ version: 2, where: 'elsewhere' });
    await writeFile(file, newer);
    await expect(acquire(directory)).rejects.toMatchObject({ code: 'VERSION_UNSUPPORTED' });
    expect(await readFile(file, 'utf8')).toBe(newer);
    await lease.close();
  });

  test('that runs is not joined by a second server on its data when its state file is cut off', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'redis', 'server.json');
    const lease = await acquire(directory);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(0, 30));
    await expect(acquire(directory)).rejects.toMatchObject({
      message: expect.stringMatching(/damaged/) as string,
    });
    await lease.close();
    const again = await acquire(directory);
    expect(again.origin).toBe('started');
    await again.close();
  });

  test('no Redis and nothing may be installed: one message with the commands', async () => {
    const bench = await testBench({ REDIS_URL: '', PATH: '', EMBEDLINE_NO_INSTALL: '1' });
    const result = await bench.run(['status']);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(
      /No Redis is here.*brew install redis.*apt-get install redis-server.*docker run/s,
    );
  });

  test('commands use it by themselves and leave none running, also after Ctrl-C', async () => {
    const bench = await testBench({ REDIS_URL: '' });
    const done = await bench.run(
      ['ingest', '-', '--collection', 'docs', '--workers', '1'],
      '{"id":"a","text":"x y"}\n',
    );
    expect(done.code).toBe(0);
    const url = () => urlIn(bench.directory);
    expect(await answers(await url())).toBe(false);
    expect((await bench.run(['status', '--json'])).json).toMatchObject([
      { state: 'done', chunks: { embedded: 1 } },
    ]);
    const worker = bench.startWorker();
    await until('the worker is ready', () => worker.output().includes('ready'));
    const running = await url();
    expect(await answers(running)).toBe(true);
    worker.process.kill('SIGINT');
    expect((await worker.result).code).toBe(0);
    expect(await answers(running)).toBe(false);
  });
});

describe('a configured Redis', () => {
  test('that is none is told apart from one that is not there, and from a wrong password', async () => {
    const http = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
      0,
      '127.0.0.1',
    );
    onTestFinished(() => void http.close());
    await until('it listens', () => http.listening);
    const { port } = http.address() as AddressInfo;
    await expect(probeRedis(`redis://127.0.0.1:${port}`)).rejects.toThrow(/not a Redis|cannot be reached/);
    await expect(probeRedis('redis://127.0.0.1:1')).rejects.toThrow(/cannot be reached \(ECONNREFUSED\)/);
    const wrong = inject('redisUrl').replace(/:[^:@]+@/, ':hunter2@');
    await expect(probeRedis(wrong)).rejects.toThrow(/refused the login/);
    await expect(probeRedis(wrong)).rejects.not.toThrow(/hunter2/);
  });

  test('that evicts is refused with the remedy', async () => {
    const directory = await temporaryDirectory();
    const lease = await acquire(directory);
    const redis = connectRedis({ url: lease.url, role: 'producer' });
    expect(await checkRedis(redis)).toEqual([]);
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(checkRedis(redis)).rejects.toMatchObject({ code: 'REDIS_UNSUITABLE' });
    await expect(checkRedis(redis)).rejects.toThrow(/allkeys-lru.*noeviction/);
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.config('SET', 'appendonly', 'no');
    expect(await checkRedis(redis)).toEqual([expect.stringContaining('append-only')]);
    redis.disconnect();
    await lease.close();
  });

  test('is never stopped', async () => {
    await (
      await acquireRedis({
        dataDirectory: '/nonexistent',
        url: inject('redisUrl'),
        noInstall: true,
        announce,
      })
    ).close();
    expect(await testRedis().ping()).toBe('PONG');
  });
});

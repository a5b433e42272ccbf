import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis, EmbedlineError, probeRedis, type RedisConnection } from '@embedline/core';
import { locateServer } from '../../packages/core/src/redis/locate-server.ts';
import { freePort } from './free-port.ts';

/** A Redis with an append-only file that may be filled, killed and started again. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** A connection that is the caller's to end. */
  connect(): RedisConnection;
  /** Ends the server as a power cut of its process would. */
  kill(): Promise<void>;
  /** Ends the machine as well: what was written to its disk within the last second is gone (appendfsync everysec). */
  cutPower(): Promise<void>;
  /** Starts it again from what is on its disk. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A Redis on a TCP port, found or installed as the product does it.
 * @param directory where its data goes, below `redis/`
 */
export async function startRedisServer(directory: string): Promise<RedisServer> {
  const source = await locateServer({
    noInstall: process.env['EMBEDLINE_NO_INSTALL'] === '1',
    announce: (message) => process.stderr.write(`${message}\n`),
  });
  if (source.kind !== 'binary') throw new EmbedlineError('REDIS_NOT_INSTALLED', 'Tests need a redis-server.');
  const [port, password] = [await freePort(), randomBytes(24).toString('hex')];
  const url = `redis://:${password}@127.0.0.1:${port}`;
  const folder = join(directory, 'redis');
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'redis.conf');
  await writeFile(config, settings(folder, port, password));
  let pid = 0;
  let shell: ChildProcessByStdio<Writable, Readable, null> | undefined;
  const start = async () => {
    // The shell ends the server when this process is gone, however it ended.
    const script = '"$0" "$1" & echo $!; read -r _; kill -9 $!';
    shell = spawn('/bin/sh', ['-c', script, source.path, config], { stdio: ['pipe', 'pipe', 'ignore'] });
    const [line] = (await once(shell.stdout, 'data')) as [Buffer];
    pid = Number.parseInt(line.toString(), 10);
    while (!(await answers(url))) await delay(20);
  };
  const kill = async () => {
    killProcess(pid);
    shell?.stdin.end();
    while (await answers(url)) await delay(20);
  };
  await start();
  return {
    url,
    port,
    connect: () => connectRedis({ url, role: 'producer' }),
    kill,
    cutPower: async () => {
      const data = join(folder, 'appendonlydir');
      const before = await sizes(data);
      await delay(1_000);
      await kill();
      for (const [file, size] of await sizes(data))
        if (size > (before.get(file) ?? Infinity)) await truncate(join(data, file), before.get(file));
    },
    start,
    close: kill,
  };
}

function settings(folder: string, port: number, password: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir "${folder}"`,
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    'logfile redis.log',
    '',
  ].join('\n');
}

async function sizes(folder: string): Promise<Map<string, number>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.incr.aof'));
  const entries = files.map(async (file) => [file, (await stat(join(folder, file))).size] as const);
  return new Map(await Promise.all(entries));
}

function answers(url: string): Promise<boolean> {
  return probeRedis(url).then(
    () => true,
    () => false,
  );
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

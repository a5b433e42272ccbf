import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { acquireRedis, connectRedis, probeRedis, type RedisConnection } from '@embedline/core';

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

/** @param directory where its data goes, below `redis/` */
export async function startRedisServer(directory: string): Promise<RedisServer> {
  const lease = await acquireRedis({
    dataDirectory: directory,
    noInstall: process.env['EMBEDLINE_NO_INSTALL'] === '1',
    // Tests say when it is there.
    restart: false,
    announce: () => undefined,
  });
  const { url } = lease;
  const connect = () => connectRedis({ url, role: 'producer' });
  const redis = connect();
  const info = await redis.info('server');
  redis.disconnect();
  const fact = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? '';
  let pid = Number(fact('process_id'));
  const kill = async () => {
    killProcess(pid);
    while (await answers(url)) await delay(20);
  };
  return {
    url,
    port: Number(new URL(url).port),
    connect,
    kill,
    cutPower: async () => {
      const folder = join(fact('config_file'), '..', 'appendonlydir');
      const before = await sizes(folder);
      await delay(1_000);
      await kill();
      for (const [file, size] of await sizes(folder))
        if (size > (before.get(file) ?? Infinity)) await truncate(join(folder, file), before.get(file));
    },
    start: async () => {
      const server = spawn(fact('executable'), [fact('config_file')], { stdio: 'ignore' });
      await once(server, 'spawn');
      pid = server.pid ?? 0;
      while (!(await answers(url))) await delay(20);
    },
    close: async () => {
      await lease.close();
      await kill();
    },
  };
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

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { acquireRedis, connectRedis, probeRedis, type Redis } from '@embedline/core';

/** A Redis with an append-only file that may be filled, killed and started again. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** A connection that is the caller's to end. */
  connect(): Redis;
  /** Ends the server as a power cut of its process would. */
  kill(): Promise<void>;
  /** Starts it again from what is on its disk. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** @param directory where its data goes, below `redis/` */
export async function startRedisServer(directory: string): Promise<RedisServer> {
  const lease = await acquireRedis({
    dataDirectory: directory,
    noInstall: process.env['EMBEDLINE_NO_INSTALL'] === '1',
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

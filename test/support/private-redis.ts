import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { acquireRedis, connectRedis, probeRedis, type Redis } from '@embedline/core';
import { temporaryDirectory, until } from './temporary.ts';

/** A Redis of one test alone, with an append-only file; it may be filled, killed and started again. */
export interface PrivateRedis {
  readonly url: string;
  /** A connection that ends with the test. */
  connect(): Redis;
  /** Ends the server as a power cut of its process would. */
  kill(): Promise<void>;
  /** Starts it again from what is on its disk. */
  start(): Promise<void>;
}

export async function privateRedis(): Promise<PrivateRedis> {
  const directory = await temporaryDirectory();
  const { url } = await acquireRedis({
    dataDirectory: directory,
    noInstall: true,
    announce: () => undefined,
  });
  const connect = () => {
    const redis = connectRedis({ url, role: 'producer' });
    onTestFinished(() => redis.disconnect());
    return redis;
  };
  const info = await connect().info('server');
  const fact = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? '';
  let pid = Number(fact('process_id'));
  const answers = () =>
    probeRedis(url).then(
      () => true,
      () => false,
    );
  onTestFinished(() => killProcess(pid));
  return {
    url,
    connect,
    kill: async () => {
      killProcess(pid);
      await until('the server is gone', async () => !(await answers()));
    },
    start: async () => {
      const server = spawn(fact('executable'), [fact('config_file')], { stdio: 'ignore' });
      await once(server, 'spawn');
      pid = server.pid ?? 0;
      await until('the server answers', answers);
    },
  };
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

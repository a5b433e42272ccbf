import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectRedis, type RedisConnection } from '@embedline/core';
import { onTestFinished } from 'vitest';
import { freePort } from './free-port.ts';
import { startRedisProcess, type RedisProcess } from './redis-process.ts';
import { temporaryDirectory, until } from './temporary.ts';

const run = promisify(execFile);

/** Of all servers and Sentinels of a group; it has to be escaped in a URL. */
export const GROUP_PASSWORD = 'of/the@group';
export const ESCAPED_PASSWORD = encodeURIComponent(GROUP_PASSWORD);
const LOGIN = ['--requirepass', GROUP_PASSWORD, '--masterauth', GROUP_PASSWORD, '--appendonly', 'yes'];

/** A connection to one server of a group, which ends with the test. */
export function connectTo({ port }: RedisProcess): RedisConnection {
  const redis = connectRedis({ url: `redis://:${ESCAPED_PASSWORD}@127.0.0.1:${port}`, role: 'producer' });
  onTestFinished(() => redis.disconnect());
  return redis;
}

export async function roleOf(server: RedisProcess): Promise<string> {
  return /^role:(\w+)/m.exec(await connectTo(server).info('replication'))?.[1] ?? '';
}

export interface RedisClusterGroup {
  readonly servers: readonly RedisProcess[];
  /** Names three of the nodes. */
  readonly url: string;
}

/** Three primaries with a replica each, that take a primary for dead after two seconds. */
export async function startRedisCluster(): Promise<RedisClusterGroup> {
  const servers = await Promise.all(
    Array.from({ length: 6 }, async () => {
      // By itself it would be 10,000 more than the port, which may be too many.
      const bus = await freePort();
      return startRedisProcess([
        '--cluster-enabled',
        'yes',
        '--cluster-port',
        String(bus),
        '--cluster-node-timeout',
        '2000',
        ...LOGIN,
      ]);
    }),
  );
  const hosts = servers.map(({ port }) => `127.0.0.1:${port}`);
  const cli = ['--no-auth-warning', '-a', GROUP_PASSWORD];
  await run('redis-cli', [
    ...cli,
    '--cluster',
    'create',
    ...hosts,
    '--cluster-replicas',
    '1',
    '--cluster-yes',
  ]);
  const links = servers.map(connectTo);
  await until('every node knows a whole cluster, and every replica follows', async () => {
    const states = await Promise.all(links.map((link) => link.cluster('INFO')));
    const followed = await Promise.all(links.map((link) => link.info('replication')));
    return (
      states.every((state) => state.includes('cluster_state:ok')) &&
      followed.filter((info) => info.includes('state=online')).length === 3
    );
  });
  return { servers, url: `redis+cluster://:${ESCAPED_PASSWORD}@${hosts.slice(0, 3).join(',')}` };
}

/** The server of a cluster that holds the keys of a prefix now. */
export async function ownerIn(servers: readonly RedisProcess[], prefix: string): Promise<RedisProcess> {
  for (const server of servers) {
    const answer = await connectTo(server)
      .exists(`${prefix}:runs`)
      .then(() => 'own', String);
    if (answer === 'own' && (await roleOf(server)) === 'master') return server;
  }
  throw new Error('Nobody holds the keys.');
}

export interface SentinelGroup {
  readonly primary: RedisProcess;
  readonly replicas: readonly RedisProcess[];
  readonly sentinels: readonly RedisProcess[];
  readonly url: string;
  /** What else a program needs to be let in. */
  readonly env: Record<string, string>;
}

/** A primary with two replicas, watched by three Sentinels that take it for dead after a second. */
export async function startSentinelGroup(): Promise<SentinelGroup> {
  const primary = await startRedisProcess(LOGIN);
  const follow = ['--replicaof', '127.0.0.1', String(primary.port)];
  const replicas = await Promise.all([1, 2].map(() => startRedisProcess([...LOGIN, ...follow])));
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(primary.port)));
  const link = connectTo(primary);
  await until('both replicas follow', async () =>
    /connected_slaves:2[^]*state=online[^]*state=online/.test(await link.info('replication')),
  );
  const watchers = sentinels.map(connectTo);
  await until('each Sentinel knows the replicas and the others', async () => {
    const infos = await Promise.all(watchers.map((watcher) => watcher.info('sentinel')));
    return infos.every((info) => /slaves=2,sentinels=3/.test(info));
  });
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return {
    primary,
    replicas,
    sentinels,
    url: `redis+sentinel://:${ESCAPED_PASSWORD}@${hosts}/the-primary`,
    env: { REDIS_SENTINEL_PASSWORD: GROUP_PASSWORD },
  };
}

async function startSentinel(primaryPort: number): Promise<RedisProcess> {
  const directory = await temporaryDirectory();
  const file = join(directory, 'sentinel.conf');
  await writeFile(
    file,
    [
      `requirepass "${GROUP_PASSWORD}"`,
      `sentinel monitor the-primary 127.0.0.1 ${primaryPort} 2`,
      `sentinel auth-pass the-primary ${GROUP_PASSWORD}`,
      'sentinel down-after-milliseconds the-primary 1000',
      'sentinel failover-timeout the-primary 5000',
      '',
    ].join('\n'),
  );
  return startRedisProcess(['--sentinel'], { file, directory });
}

import type { Redis } from 'ioredis';
import { DEFAULT_PREFIX } from '../default-prefix.ts';
import { EmbedlineError, isEmbedlineError, messageOf } from '../errors.ts';
import { loginOf, NO_REDIS_ACCESS, type RedisAccess } from './access.ts';
import {
  formatAddress,
  formatHostPort,
  type ClusterAddress,
  type HostPort,
  type RedisAddress,
  type SentinelAddress,
  type ServerAddress,
} from './address.ts';
import type { ProcessAddress } from './diagnose.ts';
import { parseRedisUrl } from './parse-url.ts';
import { askProcess, readInfo } from './probe-process.ts';
import { primaryNames, primaryOf } from './sentinel.ts';
import { slotOwner } from './slot-owner.ts';

export interface ProbeRedisOptions {
  readonly access?: RedisAccess | undefined;
  /** Of the keys: decides which node of a cluster is used. Defaults to that of the configuration. */
  readonly prefix?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Probing {
  readonly access: RedisAccess;
  readonly prefix: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Connects once, as the URL says, and says in plain words why Redis cannot be used that way: nobody is there, something
 * else is, the login is refused, the database is not there, it takes no writes, or it is of another kind.
 * @throws EmbedlineError CONFIG_INVALID, REDIS_UNREACHABLE, REDIS_UNSUITABLE; retryable when it may pass by itself
 */
export async function probeRedis(url: string, options: ProbeRedisOptions = {}): Promise<void> {
  const { access = NO_REDIS_ACCESS, prefix = DEFAULT_PREFIX, signal } = options;
  const probing: Probing = { access, prefix, signal };
  const address = parseRedisUrl(url);
  // Only here is it known whether a password stands anywhere.
  loginOf(address, probing.access);
  if (address.kind === 'cluster') await probeCluster(address, probing);
  else if (address.kind === 'sentinel') await probeSentinel(address, probing);
  else await probeServer(address, probing);
}

async function probeServer(address: ProcessAddress, probing: Probing): Promise<void> {
  await askProcess(address, probing, async (redis) => {
    if (address.database !== 0) await redis.select(address.database);
    const info = await readInfo(redis);
    // LOADING is the answer to this one, not to INFO.
    await redis.ping();
    const mode = info?.get('redis_mode');
    if (mode === 'sentinel') throw await isSentinel(address, redis);
    if (mode === 'cluster') throw unsuitable(address, ...CLUSTER_NODE);
    if (info?.get('role') === 'slave') throw isReplica(address, info.get('master_host') ?? 'another');
  });
}

const CLUSTER_NODE = [
  'is a node of a Redis Cluster, and holds only a part of it.',
  'Write redis+cluster:// instead of redis:// in REDIS_URL (rediss+cluster:// with TLS).',
] as const;

/** Usable with one node that is there and knows an owner for our keys that can be reached. */
async function probeCluster(address: ClusterAddress, probing: Probing): Promise<void> {
  const owner = await firstToAnswer(address, address.nodes, (node) =>
    askProcess(processAt(node, address), probing, async (redis) => {
      const info = await readInfo(redis);
      const mode = info?.get('redis_mode') ?? 'cluster';
      if (mode === 'sentinel') throw await isSentinel(processAt(node, address), redis);
      if (mode !== 'cluster') {
        const remedy = 'Write redis:// instead of redis+cluster:// in REDIS_URL.';
        throw unsuitable(processAt(node, address), 'is not a node of a Redis Cluster.', remedy);
      }
      return slotOwner(redis, node, probing.prefix);
    }),
  );
  const known = address.nodes.some((node) => formatHostPort(node) === formatHostPort(owner));
  try {
    await askProcess(processAt(owner, address), probing, (redis) => redis.ping());
  } catch (cause) {
    if (known || !isEmbedlineError(cause, 'REDIS_UNREACHABLE')) throw cause;
    throw new EmbedlineError(
      'REDIS_UNREACHABLE',
      `${messageOf(cause)} The cluster names that address for the node that holds the keys of embedline: if it cannot be reached from ` +
        `here, set cluster-announce-ip (or cluster-announce-hostname) on the nodes.`,
      { cause, retryable: cause.retryable },
    );
  }
}

async function probeSentinel(address: SentinelAddress, probing: Probing): Promise<void> {
  const primary = await firstToAnswer(address, address.sentinels, (sentinel) =>
    primaryOf(sentinel, address, probing),
  );
  const { database, login, tls } = address;
  try {
    await probeServer({ kind: 'server', ...primary, database, login, tls }, probing);
  } catch (cause) {
    if (!isEmbedlineError(cause, 'REDIS_UNREACHABLE')) throw cause;
    throw new EmbedlineError(
      'REDIS_UNREACHABLE',
      `${messageOf(cause)} The Sentinels name that address for the primary ${address.primaryName}: they replace it when it is down; if it ` +
        `cannot be reached from here, set replica-announce-ip on the servers.`,
      { cause, retryable: cause.retryable },
    );
  }
}

/** @throws what is wrong with the only host, or with each of several */
async function firstToAnswer<T>(
  address: RedisAddress,
  hosts: readonly HostPort[],
  ask: (host: HostPort) => Promise<T>,
): Promise<T> {
  const failures: EmbedlineError[] = [];
  for (const host of hosts) {
    try {
      return await ask(host);
    } catch (error) {
      if (!isEmbedlineError(error)) throw error;
      failures.push(error);
    }
  }
  const [first] = failures;
  if (first === undefined || failures.length === 1) throw first ?? new Error('no hosts');
  throw new EmbedlineError(
    first.code,
    `None of the hosts of ${formatAddress(address)} can be used. ${failures.map(messageOf).join(' ')}`,
    { cause: first, retryable: failures.some(({ retryable }) => retryable) },
  );
}

export function processAt(
  host: HostPort,
  { login, tls }: Pick<RedisAddress, 'login' | 'tls'>,
): ServerAddress {
  return { kind: 'server', ...host, database: 0, login, tls };
}

function unsuitable(address: ProcessAddress, found: string, remedy: string): EmbedlineError {
  return new EmbedlineError('REDIS_UNSUITABLE', `Redis at ${formatAddress(address)} ${found} ${remedy}`);
}

async function isSentinel(address: ProcessAddress, redis: Redis): Promise<EmbedlineError> {
  const names = await redis.call('SENTINEL', 'MASTERS').then(primaryNames, () => []);
  const name = names[0] ?? 'mymaster';
  const known = names.length === 0 ? '' : ` It watches: ${names.join(', ')}.`;
  return unsuitable(
    address,
    'is a Sentinel, and holds no data.',
    `Write redis+sentinel://, the hosts of the Sentinels and the name of the primary in REDIS_URL, as in redis+sentinel://host:26379/${name}.${known}`,
  );
}

function isReplica(address: ProcessAddress, primaryHost: string): EmbedlineError {
  const primary = /^[\w.:-]{1,255}$/.test(primaryHost) ? primaryHost : 'another host';
  return new EmbedlineError(
    'REDIS_UNSUITABLE',
    `Redis at ${formatAddress(address)} is a replica of ${primary}, and takes no writes (READONLY). Name the primary in REDIS_URL, or the ` +
      `Sentinels with redis+sentinel://; while a failover is under way, wait until it is over.`,
    { retryable: true },
  );
}

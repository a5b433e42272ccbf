import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { ConnectionOptions } from 'node:tls';
import { loginOf, type RedisAccess } from './access.ts';
import type { ClusterAddress, HostPort, RedisAddress, SentinelAddress } from './address.ts';

/**
 * `worker` waits for Redis as long as it takes; `producer` gives up on a command after about a minute, so that a long
 * outage surfaces; `probe` fails at the first attempt.
 */
export type RedisRole = 'producer' | 'worker' | 'probe';

export interface ClientOptions {
  readonly access: RedisAccess;
  readonly role: RedisRole;
  readonly name?: string | undefined;
}

/** Longer than BullMQ's blocking reads (10 s), so that only a connection that went silent is cut (hazards B11). */
const SOCKET_TIMEOUT_MS = 25_000;
/** So many tries, each 4 seconds after the last at most, are about a minute. */
const PRODUCER_TRIES = 20;
/** A cluster that elects a new primary costs a command two redirections in half a second; this is about a minute of it. */
const PRODUCER_REDIRECTIONS = 240;
const SENTINEL_ANSWER_TIMEOUT_MS = 5_000;
/** A primary that went silent is left as soon as the cluster has replaced it. */
const SLOTS_REFRESH_MS = 5_000;

/** The pause before the next try, in milliseconds; null to give up. */
export function retryDelayMs(attempt: number): number {
  return Math.min(100 * 2 ** attempt, 4_000) * (0.5 + Math.random() / 2);
}

/** Without the one option whose type ioredis makes a parameter of its clients. */
export type ServerClientOptions = Omit<RedisOptions, 'replyMapping'>;
export type ClusterClientOptions = Omit<ClusterOptions, 'redisOptions'> & {
  readonly redisOptions: Omit<NonNullable<ClusterOptions['redisOptions']>, 'replyMapping'>;
};

/** For one server, or the one that Sentinels name; `port`, `host` and all else is said here, never left to defaults. */
export function serverOptions(
  address: Exclude<RedisAddress, ClusterAddress>,
  options: ClientOptions,
): ServerClientOptions {
  const shared = {
    ...sharedOptions(address, options),
    db: address.database,
    retryStrategy: options.role === 'probe' ? () => null : retryDelayMs,
    // 2: reconnect and send the command again. A replica after a failover otherwise answers READONLY in a hot loop.
    reconnectOnError: (error: Error) => (/^(READONLY|MASTERDOWN|LOADING)/.test(error.message) ? 2 : false),
  } as const;
  if (address.kind === 'socket') return { ...shared, path: address.path };
  if (address.kind === 'sentinel') return { ...shared, ...sentinelOptions(address, options) };
  return { ...shared, host: address.host, port: address.port };
}

function sentinelOptions(address: SentinelAddress, { access, role }: ClientOptions): ServerClientOptions {
  const tls = tlsOptions(address, access);
  return {
    sentinels: address.sentinels.map(({ host, port }) => ({ host, port })),
    name: address.primaryName,
    ...(access.sentinelPassword === null ? {} : { sentinelPassword: access.sentinelPassword }),
    ...(tls === null ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    sentinelCommandTimeout: SENTINEL_ANSWER_TIMEOUT_MS,
    sentinelRetryStrategy: (attempt) => (givesUp(role, attempt) ? null : retryDelayMs(attempt)),
  };
}

export function clusterOptions(address: ClusterAddress, options: ClientOptions): ClusterClientOptions {
  const { role } = options;
  return {
    redisOptions: sharedOptions(address, options),
    // As they are named: a certificate is for a name, not for the address behind it.
    dnsLookup: (host, callback) => callback(null, host),
    clusterRetryStrategy: (attempt) => (givesUp(role, attempt) ? null : retryDelayMs(attempt)),
    maxRedirections: role === 'worker' ? Infinity : role === 'producer' ? PRODUCER_REDIRECTIONS : 16,
    retryDelayOnFailover: 500,
    retryDelayOnClusterDown: 500,
    retryDelayOnTryAgain: 200,
    retryDelayOnMoved: 50,
    slotsRefreshTimeout: 3_000,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
  };
}

export function clusterNodes({ nodes }: ClusterAddress): HostPort[] {
  return nodes.map(({ host, port }) => ({ host, port }));
}

function givesUp(role: RedisRole, attempt: number): boolean {
  return role === 'probe' || (role === 'producer' && attempt % PRODUCER_TRIES === 0);
}

/** The settings are hazards B11, B12, B17 and B18. */
function sharedOptions(address: RedisAddress, options: ClientOptions) {
  const { role, name, access } = options;
  const { username, password } = loginOf(address, access);
  const tls = tlsOptions(address, access);
  return {
    ...(name === undefined ? {} : { connectionName: name }),
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls === null ? {} : { tls }),
    connectTimeout: role === 'probe' ? 3_000 : 10_000,
    socketTimeout: SOCKET_TIMEOUT_MS,
    keepAlive: 10_000,
    maxRetriesPerRequest: role === 'worker' ? null : role === 'producer' ? PRODUCER_TRIES : 0,
  };
}

/** Null without TLS. Certificates are always verified. */
export function tlsOptions({ tls }: RedisAddress, { certificates }: RedisAccess): ConnectionOptions | null {
  if (!tls) return null;
  const { authority, client } = certificates;
  return {
    ...(authority === null ? {} : { ca: authority }),
    ...(client === null ? {} : { cert: client.certificate, key: client.key }),
  };
}

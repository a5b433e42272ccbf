import { Redis, type Cluster } from 'ioredis';
import { passwordsOf, redactSecrets, rememberSecrets } from '../redact.ts';

/** One Redis server, directly or by way of Sentinel; or all nodes of a Redis Cluster. */
export type RedisConnection = Redis | Cluster;

/**
 * `worker` waits for Redis as long as it takes; `producer` gives up on a command after about a minute, so that a long
 * outage surfaces; `probe` fails at the first attempt.
 */
export type RedisRole = 'producer' | 'worker' | 'probe';

export interface ConnectRedisOptions {
  readonly url: string;
  readonly role: RedisRole;
  /** Shown by CLIENT LIST. */
  readonly name?: string;
  /** Told of connection trouble; equal messages at most once in ten seconds. */
  readonly onError?: (message: string) => void;
}

/** Longer than BullMQ's blocking reads (10 s), so that only a connection that went silent is cut (hazards B11). */
const SOCKET_TIMEOUT_MS = 25_000;
const REPORT_EVERY_MS = 10_000;

/** Builds every connection to Redis that embedline uses; the settings are hazards B11, B12, B17 and B18. */
export function connectRedis({ url, role, name, onError }: ConnectRedisOptions): RedisConnection {
  rememberSecrets(passwordsOf(url));
  const redis = new Redis(url, {
    ...(name === undefined ? {} : { connectionName: name }),
    connectTimeout: role === 'probe' ? 3_000 : 10_000,
    socketTimeout: SOCKET_TIMEOUT_MS,
    keepAlive: 10_000,
    maxRetriesPerRequest: role === 'worker' ? null : role === 'producer' ? 20 : 0,
    retryStrategy: (attempt) =>
      role === 'probe' ? null : Math.min(100 * 2 ** attempt, 4_000) * (0.5 + Math.random() / 2),
    // 2: reconnect and send the command again. A replica after a failover otherwise answers READONLY in a hot loop.
    reconnectOnError: (error) => (/^(READONLY|MASTERDOWN|LOADING)/.test(error.message) ? 2 : false),
  });
  const reportedAtMs = new Map<string, number>();
  redis.on('error', (error: Error) => {
    const message = redactSecrets(
      error.message === '' ? ((error as NodeJS.ErrnoException).code ?? error.name) : error.message,
    );
    if (Date.now() - (reportedAtMs.get(message) ?? -Infinity) < REPORT_EVERY_MS) return;
    reportedAtMs.set(message, Date.now());
    onError?.(`Redis at ${redactUrl(url)}: ${message}`);
  });
  return redis;
}

/** The URL without its password, for messages. */
export function redactUrl(url: string): string {
  try {
    const parsed = new URL(url);
    return `${parsed.protocol}//${parsed.host}${parsed.pathname === '/' ? '' : parsed.pathname}`;
  } catch {
    return redactSecrets(url);
  }
}

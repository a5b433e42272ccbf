import { Cluster, Redis } from 'ioredis';
import { passwordsOf, redactSecrets, rememberSecrets } from '../redact.ts';
import { NO_REDIS_ACCESS, type RedisAccess } from './access.ts';
import { answerWhenDisconnected } from './answer-when-disconnected.ts';
import { formatAddress } from './address.ts';
import {
  clusterNodes,
  clusterOptions,
  retryDelayMs,
  serverOptions,
  type RedisRole,
  type ServerClientOptions,
} from './client-options.ts';
import { parseRedisUrl } from './parse-url.ts';

export type { RedisRole } from './client-options.ts';

/** One Redis server, directly or by way of Sentinel; or all nodes of a Redis Cluster. */
export type RedisConnection = Redis | Cluster;

export interface ConnectRedisOptions {
  /** See {@link parseRedisUrl}. */
  readonly url: string;
  /** Defaults to what the URL says alone. */
  readonly access?: RedisAccess | undefined;
  readonly role: RedisRole;
  /** Shown by CLIENT LIST. */
  readonly name?: string;
  /** Told of connection trouble; equal messages at most once in ten seconds. */
  readonly onError?: (message: string) => void;
}

const REPORT_EVERY_MS = 10_000;

/**
 * Builds every connection to Redis that embedline uses. It connects by itself, and again whenever it breaks.
 * @throws EmbedlineError CONFIG_INVALID when the URL is not usable
 */
export function connectRedis(options: ConnectRedisOptions): RedisConnection {
  const { url, role, name, onError, access = NO_REDIS_ACCESS } = options;
  rememberSecrets([...passwordsOf(url), access.password, access.sentinelPassword]);
  const address = parseRedisUrl(url);
  const settings = { access, role, name };
  const redis =
    address.kind === 'cluster'
      ? answerWhenDisconnected(new Cluster(clusterNodes(address), clusterOptions(address, settings)))
      : withoutFallback(new Redis(serverOptions(address, settings)));
  if (role === 'producer') reviveAfterGivingUp(redis);
  const reportedAtMs = new Map<string, number>();
  redis.on('error', (error: Error) => {
    const message = redactSecrets(connectionTrouble(error));
    if (Date.now() - (reportedAtMs.get(message) ?? -Infinity) < REPORT_EVERY_MS) return;
    reportedAtMs.set(message, Date.now());
    onError?.(`Redis at ${formatAddress(address)}: ${message}`);
  });
  return redis;
}

/** The URL without user and password, for messages. */
export function redactUrl(url: string): string {
  try {
    return formatAddress(parseRedisUrl(url));
  } catch {
    return redactSecrets(url);
  }
}

/**
 * ioredis goes on in database 0 when Redis refuses SELECT, also where a server that was restarted has fewer databases. A
 * connection that is not in its database is broken off instead, and tried again as if Redis was away.
 */
function withoutFallback(redis: Redis): Redis {
  answerWhenDisconnected(redis);
  redis.on('error', (error: Error & { readonly command?: { readonly name: string } }) => {
    if (error.command?.name === 'select') redis.disconnect(true);
  });
  // BullMQ makes its blocking connection this way.
  const duplicate = (override?: ServerClientOptions) =>
    withoutFallback(new Redis({ ...(redis.options as ServerClientOptions), ...override }));
  redis.duplicate = duplicate;
  return redis;
}

/**
 * When nodes or Sentinels stay away, waiting commands fail after a minute only if the client ends. What is asked for
 * later gets a new chance.
 */
function reviveAfterGivingUp(redis: RedisConnection): void {
  redis.on('end', () => {
    const timer = setTimeout(() => {
      // Closed by its owner, it is not in this state any more, or was never to come back.
      if (redis.status === 'end' && !closedByOwner.has(redis)) redis.connect().catch(() => undefined);
    }, retryDelayMs(Infinity));
    timer.unref();
  });
  const disconnect = redis.disconnect.bind(redis);
  redis.disconnect = (reconnect = false) => {
    if (!reconnect) closedByOwner.add(redis);
    disconnect(reconnect);
  };
  const quit = redis.quit.bind(redis);
  redis.quit = (...args: []) => {
    closedByOwner.add(redis);
    return quit(...args);
  };
}

const closedByOwner = new WeakSet<RedisConnection>();

/** In words that stay the same from one try to the next, so that they are told once. */
function connectionTrouble(error: Error & { readonly lastNodeError?: unknown }): string {
  const { message, code, name } = error as NodeJS.ErrnoException;
  if (message.startsWith('All sentinels are unreachable')) {
    const reason = /Last error: (.*)$/s.exec(message)?.[1] ?? '';
    return `none of the Sentinels can be asked for the primary${unlessClosed(reason)}`;
  }
  if (error.lastNodeError instanceof Error)
    return `none of the nodes that are known can be asked for the others${unlessClosed(error.lastNodeError.message)}`;
  return message === '' ? (code ?? name) : message;
}

/** ioredis says this alone of a port that takes no connections. */
function unlessClosed(reason: string): string {
  return reason === '' || reason === 'Connection is closed.' ? '' : ` (${reason})`;
}

import { Cluster, type Redis } from 'ioredis';
import { EmbedlineError, messageOf } from '../errors.ts';
import { formatHostPort, type HostPort } from './address.ts';
import type { RedisConnection } from './connection.ts';

/** All keys of embedline share the hash tag of the prefix, and so one slot. */
export function someKey(prefix: string): string {
  return `${prefix}:runs`;
}

/**
 * The node of a cluster that holds the keys of a prefix, as any node knows: it answers, or names the one that does.
 * @param node where that connection leads to
 * @throws EmbedlineError REDIS_UNREACHABLE (retryable) when the cluster is down, or nobody holds them
 */
export async function slotOwner(redis: Redis, node: HostPort, prefix: string): Promise<HostPort> {
  try {
    await redis.exists(someKey(prefix));
    return node;
  } catch (error) {
    const message = messageOf(error);
    const [word, , place = ''] = message.split(' ');
    if (word === 'MOVED') return parsePlace(place, node);
    if (word === 'CLUSTERDOWN') {
      throw new EmbedlineError(
        'REDIS_UNREACHABLE',
        `The Redis Cluster of ${formatHostPort(node)} is down (${message}): it serves once every slot has a primary that most of the nodes ` +
          `see. Look at: redis-cli --cluster check ${formatHostPort(node)}`,
        { cause: error, retryable: true },
      );
    }
    throw error;
  }
}

/** `host:port`; the host is empty when it is that of the node which was asked. */
function parsePlace(place: string, asked: HostPort): HostPort {
  const colon = place.lastIndexOf(':');
  const host = place.slice(0, colon);
  return { host: host === '' || host === '?' ? asked.host : host, port: Number(place.slice(colon + 1)) };
}

/**
 * The connection to the process that holds the keys of a prefix: of a cluster the one of that node. Commands without a key
 * (INFO) go to any node otherwise.
 * @throws EmbedlineError REDIS_UNREACHABLE; errors of the connection
 */
export async function ownerOf(redis: RedisConnection, prefix: string): Promise<Redis> {
  if (!(redis instanceof Cluster)) return redis;
  // Answered once the nodes are known.
  await redis.exists(someKey(prefix));
  const nodes = redis.nodes('master');
  const [first] = nodes;
  if (first === undefined) throw new EmbedlineError('REDIS_UNREACHABLE', NO_NODES, { retryable: true });
  const owner = formatHostPort(await slotOwner(first, placeOf(first), prefix));
  return nodes.find((node) => formatHostPort(placeOf(node)) === owner) ?? first;
}

const NO_NODES = 'The Redis Cluster has no primary that can be reached. Look at: redis-cli --cluster check';

/** Where a connection to one server leads to. */
export function placeOf({ options }: Redis): HostPort {
  return { host: options.host ?? '', port: options.port ?? 0 };
}

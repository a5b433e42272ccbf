import { Cluster, type Redis } from 'ioredis';

/**
 * Makes `disconnect()` answer the commands that wait. While a client pauses between two attempts to connect, ioredis only
 * cancels the next one: what was asked for is then never answered, and its caller waits for ever. One more attempt, which is
 * broken off, gives these commands their error.
 */
export function answerWhenDisconnected<Client extends Redis | Cluster>(redis: Client): Client {
  const disconnect = redis.disconnect.bind(redis);
  redis.disconnect = (reconnect = false) => {
    const pauses = redis.status === 'reconnecting';
    disconnect(reconnect);
    if (reconnect || !pauses) return;
    const end = () => disconnect(false);
    redis.once('ready', end);
    redis.once('end', () => redis.off('ready', end));
    redis.connect().catch(() => undefined);
    // A cluster forgets an attempt that is broken off: it has to fail by itself, within the time for the list of its nodes.
    if (!(redis instanceof Cluster)) end();
  };
  return redis;
}

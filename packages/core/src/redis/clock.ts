import type { RedisConnection } from './connection.ts';
import { runReading } from './rights.ts';

const SOURCE = `return redis.call('TIME')`;

/**
 * The clock of the Redis that holds a key, in milliseconds since the epoch. Asked by a script: TIME alone names no key,
 * and would go to any node of a cluster.
 */
export async function redisNowMs(redis: RedisConnection, key: string): Promise<number> {
  const answer = (await runReading(redis, () => redis.eval(SOURCE, 1, key), SOURCE, [key])) as [
    string,
    string,
  ];
  return Number(answer[0]) * 1000 + Math.floor(Number(answer[1]) / 1000);
}

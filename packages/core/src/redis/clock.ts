import type { RedisConnection } from './connection.ts';

/**
 * The clock of the Redis that holds a key, in milliseconds since the epoch. Asked by a script: TIME alone names no key,
 * and would go to any node of a cluster.
 */
export async function redisNowMs(redis: RedisConnection, key: string): Promise<number> {
  const answer = (await redis.eval(`return redis.call('TIME')`, 1, key)) as [string, string];
  return Number(answer[0]) * 1000 + Math.floor(Number(answer[1]) / 1000);
}

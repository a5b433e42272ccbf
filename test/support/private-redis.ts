import { onTestFinished } from 'vitest';
import type { RedisConnection } from '@embedline/core';
import { startRedisServer, type RedisServer } from './redis-server.ts';
import { temporaryDirectory } from './temporary.ts';

/** A Redis of one test alone; its connections end with the test. */
export async function privateRedis(): Promise<RedisServer> {
  const server = await startRedisServer(await temporaryDirectory());
  onTestFinished(() => server.close());
  return {
    ...server,
    connect: (): RedisConnection => {
      const redis = server.connect();
      onTestFinished(() => redis.disconnect());
      return redis;
    },
  };
}

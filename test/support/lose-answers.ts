import type { RedisConnection } from '@embedline/core';

/** Makes a connection like one that breaks before each answer: what was sent is sent again, as ioredis does. */
export function loseAnswers(redis: RedisConnection): void {
  const evalsha = redis.evalsha.bind(redis) as (...args: unknown[]) => Promise<unknown>;
  redis.evalsha = async (...args: unknown[]) => {
    await evalsha(...args);
    return evalsha(...args);
  };
}

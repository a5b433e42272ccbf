import { randomUUID } from 'node:crypto';
import { inject, onTestFinished } from 'vitest';
import { connectRedis, type RedisConnection, type RedisRole } from '@embedline/core';

/** A connection to the run's Redis that ends with the test. */
export function testRedis(role: RedisRole = 'producer'): RedisConnection {
  const redis = connectRedis({ url: inject('redisUrl'), role });
  onTestFinished(() => redis.disconnect());
  return redis;
}

/** Keys of one test, apart from those of all others. */
export function testPrefix(): string {
  return `{test-${randomUUID().slice(0, 8)}}`;
}

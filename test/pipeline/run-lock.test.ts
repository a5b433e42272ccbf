import { acquireRunLock, runKeys } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { loseAnswers } from '../support/lose-answers.ts';
import { privateRedis } from '../support/private-redis.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const SCOPE = 'pipeline:docs';
const owner = (pid: number, host = 'here') => ({ host, pid, runId: `run-${pid}` });

function setUp() {
  const [redis, prefix] = [testRedis(), testPrefix()];
  const key = runKeys(prefix).lock(SCOPE);
  return { redis, key, options: { redis, prefix, scope: SCOPE, isAlive: () => true } };
}

describe('a lock', () => {
  test('is not refused to the owner whose question was sent twice', async () => {
    const { redis, key, options } = setUp();
    await (await acquireRunLock({ ...options, owner: owner(1) })).release();
    loseAnswers(redis);
    const lock = await acquireRunLock({ ...options, owner: owner(1) });
    expect(await redis.get(key)).toContain('run-1');
    await lock.release();
  });

  test('that ran out while its owner was away is its owner’s again, if nobody had it', async () => {
    const { redis, key, options } = setUp();
    const lock = await acquireRunLock({ ...options, owner: owner(1), ttlMs: 300 });
    await redis.del(key);
    await until('it is renewed', async () => (await redis.get(key))?.includes('run-1') === true);
    expect(lock.signal.aborted).toBe(false);
    await lock.release();
    expect(await redis.keys(`${options.prefix}*`)).toEqual([]);
  });

  test('that another had in the meantime is lost, even when it is free again', async () => {
    const { redis, key, options } = setUp();
    const lock = await acquireRunLock({ ...options, owner: owner(1), ttlMs: 3_000 });
    await redis.del(key);
    const other = await acquireRunLock({ ...options, owner: owner(2) });
    await other.release();
    await until('the loss is told', () => lock.signal.aborted);
    expect(lock.signal.reason).toMatchObject({ code: 'RUN_SUPERSEDED' });
    await lock.release();
    expect(await redis.exists(key)).toBe(0);
  });

  test('of a Redis that was emptied is lost', async () => {
    const { redis, options } = setUp();
    const lock = await acquireRunLock({ ...options, owner: owner(1), ttlMs: 150 });
    await redis.del(...(await redis.keys(`${options.prefix}*`)));
    await until('the loss is told', () => lock.signal.aborted);
    await lock.release();
  });

  test('is kept through an outage that is longer than it lives', async () => {
    const server = await privateRedis();
    const [redis, prefix] = [server.connect(), testPrefix()];
    const lock = await acquireRunLock({ redis, prefix, scope: SCOPE, owner: owner(1), ttlMs: 300 });
    await server.kill();
    const killedAtMs = Date.now();
    await until('the lock would have run out', () => Date.now() - killedAtMs > 600);
    await server.start();
    const other = server.connect();
    await until('it is renewed', async () => (await other.exists(runKeys(prefix).lock(SCOPE))) === 1);
    expect(lock.signal.aborted).toBe(false);
    await lock.release();
  });

  test('is not lost by questions that fail, only by an answer', async () => {
    const { redis, options } = setUp();
    const lock = await acquireRunLock({ ...options, owner: owner(1), ttlMs: 150 });
    const evalsha = redis.evalsha.bind(redis);
    let failed = 0;
    redis.evalsha = () => {
      failed += 1;
      return Promise.reject(new Error('Connection is closed.'));
    };
    await until('more questions failed than it lives', () => failed > 4);
    expect(lock.signal.aborted).toBe(false);
    redis.evalsha = evalsha;
    await lock.release();
    expect(await redis.keys(`${options.prefix}*`)).toEqual([]);
  });

  test('of a process of another container with the same host name is not taken over', async () => {
    const { redis, key, options } = setUp();
    const lock = await acquireRunLock({ ...options, owner: owner(1) });
    const elsewhere = { ...(JSON.parse((await redis.get(key)) ?? '') as object), pidSpace: 'another' };
    await lock.release();
    await redis.set(key, JSON.stringify(elsewhere));
    const second = { ...options, owner: owner(2), isAlive: () => false };
    await expect(acquireRunLock(second)).rejects.toMatchObject({ code: 'RUN_LOCKED' });
  });

  test('whose owner cannot be read is respected', async () => {
    const { redis, key, options } = setUp();
    for (const value of ['not JSON', '{"version":2}']) {
      await redis.set(key, value);
      await expect(acquireRunLock({ ...options, owner: owner(1) })).rejects.toThrow(/by another process/);
    }
  });

  test('is waited for until it runs out, or until one is told to stop', async () => {
    const { redis, key, options } = setUp();
    await redis.set(key, 'somebody', 'PX', 300);
    const told: string[] = [];
    const waiting = { ...options, wait: true, onWaiting: (message: string) => void told.push(message) };
    const lock = await acquireRunLock({ ...waiting, owner: owner(1) });
    expect(told).toHaveLength(1);
    const stop = new AbortController();
    const stopped = acquireRunLock({ ...waiting, owner: owner(2), signal: stop.signal });
    stopped.catch(() => undefined);
    await until('it waits', () => told.length === 2);
    stop.abort();
    await expect(stopped).rejects.toThrow(/abort/i);
    await lock.release();
    expect(await redis.exists(key)).toBe(0);
  });
});

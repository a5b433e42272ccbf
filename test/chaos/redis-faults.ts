import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { batchesUnderWay, untilDone, untilProgress, untilStalled } from './system.ts';

const AWAY_MS = 2_000;

/** What happens to Redis and on the way to it. */
export const REDIS_FAULTS: readonly Fault[] = [
  {
    name: 'Redis killed, back with its AOF',
    times: { short: 1, full: 10 },
    inject: async (system) => {
      await system.redis.kill();
      await delay(AWAY_MS);
      await system.redis.start();
      return untilProgress(system);
    },
  },
  {
    name: 'power cut: Redis has lost its last second',
    times: { short: 1, full: 5 },
    inject: async (system) => {
      await system.redis.cutPower();
      await delay(AWAY_MS);
      await system.redis.start();
      return untilProgress(system);
    },
  },
  {
    name: 'Redis read-only, as after a failover',
    times: { short: 1, full: 5 },
    inject: async (system) => {
      await system.admin.replicaof('127.0.0.1', 1);
      await untilStalled(system);
      await delay(AWAY_MS);
      await system.admin.replicaof('NO', 'ONE');
      return untilProgress(system);
    },
  },
  {
    name: 'Redis at its maxmemory',
    times: { short: 1, full: 5 },
    inject: async (system) => {
      await system.admin.config('SET', 'maxmemory', '1mb');
      await untilStalled(system);
      await delay(AWAY_MS);
      await system.admin.config('SET', 'maxmemory', '0');
      return untilProgress(system);
    },
  },
  {
    name: 'connections to Redis reset',
    times: { short: 1, full: 5 },
    inject: async (system) => {
      system.wire.reset();
      return untilProgress(system);
    },
  },
  {
    name: 'Redis slow by 200 ms each way',
    times: { short: 0, full: 3 },
    inject: async (system) => {
      system.wire.setLatency(200);
      await delay(2 * AWAY_MS);
      system.wire.setLatency(0);
      return untilProgress(system);
    },
  },
  {
    name: 'connections to Redis go silent (black hole)',
    times: { short: 0, full: 2 },
    inject: async (system) => {
      const underWay = await batchesUnderWay(system);
      const startedAtMs = performance.now();
      system.wire.setBlackHole(true);
      await untilStalled(system);
      system.wire.setBlackHole(false);
      await untilDone(system, underWay);
      return performance.now() - startedAtMs;
    },
  },
];

import { examineRedis } from '@embedline/core';
import type { Check } from './check.ts';

/** Whether jobs are safe in Redis; see examineRedis. */
export const redis: Check = {
  name: 'Redis',
  examine: async (surroundings) => examineRedis(await surroundings.redis()),
};

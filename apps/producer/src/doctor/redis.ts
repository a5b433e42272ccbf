import { examineRedis, examineTopology, parseRedisUrl } from '@embedline/core';
import type { Check } from './check.ts';

/** Whether jobs are safe in Redis, and what stands behind a cluster or Sentinels; see examineRedis, examineTopology. */
export const redis: Check = {
  name: 'Redis',
  examine: async (surroundings) => {
    const { redisUrl, redisAccess: access, prefix } = surroundings.context.config;
    const connection = await surroundings.redis();
    const findings = await examineRedis(connection, { prefix });
    if (redisUrl === null) return findings;
    const address = parseRedisUrl(redisUrl);
    return [...(await examineTopology({ redis: connection, address, access, prefix })), ...findings];
  },
};

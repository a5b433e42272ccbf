import { examineDisk } from '@embedline/core';
import type { Check } from './check.ts';

/** Room for what is kept on this machine: the embedded store, and a private Redis. */
export const disk: Check = {
  name: 'free disk',
  examine: async ({ context: { config } }) => {
    const isUsed = config.redisUrl === null || config.qdrantUrl === null;
    return isUsed ? [await examineDisk(config.dataDirectory)] : [];
  },
};

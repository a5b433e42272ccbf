import { ok } from '@embedline/core';
import type { Check } from './check.ts';

/** The configuration file. A wrong one is reported by what was expected. */
export const configuration: Check = {
  name: 'configuration',
  examine: async ({ file }) => {
    const found = await file();
    if (found === null) return [ok('configuration', 'no file here (embedline init writes one)')];
    return [ok('configuration', `${found.path}: ${found.pipelines.size} pipelines`)];
  },
};

import { ObservedRuns, RunLedger, warning } from '@embedline/core';
import { settling } from '../commands/context.ts';
import { describeForeignRuns, findForeignRuns, FOREIGN_RUNS_REMEDY } from '../ingest/foreign-runs.ts';
import { withRedis, type Check } from './check.ts';

/** Whether another project uses the same Redis with the same prefix. */
export const foreignRuns: Check = {
  name: 'foreign runs',
  examine: (surroundings) =>
    withRedis(surroundings, async (redis) => {
      // The check of the store itself says why it is not there.
      const store = await surroundings.store().catch(() => null);
      if (store === null) return [];
      const { context } = surroundings;
      const { prefix } = context.config;
      const ledger = new RunLedger({ redis, prefix });
      const observed = new ObservedRuns({ ledger, redis, prefix, ...settling(context) });
      const foreign = await findForeignRuns(observed, store);
      if (foreign.length === 0) return [];
      return [warning('foreign runs', describeForeignRuns(foreign), FOREIGN_RUNS_REMEDY)];
    }),
};

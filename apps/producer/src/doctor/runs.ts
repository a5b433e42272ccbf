import { ObservedRuns, ok, RunLedger, warning, type Finding, type RunProgress } from '@embedline/core';
import { settling } from '../commands/context.ts';
import { withRedis, type Check } from './check.ts';

const MAX_NAMED = 10;

/** Runs that have not ended, and those among them whose producer is gone. */
export const runs: Check = {
  name: 'runs',
  examine: (surroundings) =>
    withRedis(surroundings, async (redis) => {
      const { context } = surroundings;
      const { prefix } = context.config;
      const ledger = new RunLedger({ redis, prefix });
      const observed = new ObservedRuns({ ledger, redis, prefix, ...settling(context) });
      return findingsOf(await observed.unfinished());
    }),
};

function findingsOf(unfinished: readonly RunProgress[]): Finding[] {
  const lost = unfinished.filter(({ state }) => state === 'lost');
  const running = unfinished.length - lost.length;
  const named = lost
    .slice(0, MAX_NAMED)
    .map(({ spec, lost: found }) =>
      warning(
        'runs',
        `Run ${spec.runId} of ${spec.pipeline} is lost. ${found?.reason ?? ''}.`,
        found?.remedy ?? '',
      ),
    );
  const more = lost.length - named.length;
  return [
    ...(running > 0 ? [ok('runs', `${running} under way`)] : []),
    ...named,
    ...(more > 0
      ? [warning('runs', `${more} more runs are lost.`, 'See: embedline runs list --state lost')]
      : []),
  ];
}

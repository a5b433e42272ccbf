import {
  ObservedRuns,
  ok,
  RunLedger,
  warning,
  type Finding,
  type RunProgress,
  type UnreadableRun,
} from '@embedline/core';
import { settling } from '../commands/context.ts';
import { describeUnreadableRuns } from '../commands/tell-unreadable-runs.ts';
import { withRedis, type Check } from './check.ts';

const MAX_NAMED = 10;

/** Runs that have not ended, and those among them whose producer is gone. */
export const runs: Check = {
  name: 'runs',
  examine: (surroundings) =>
    withRedis(surroundings, async (redis) => {
      const { context } = surroundings;
      const { prefix } = context.config;
      const unreadable = new Map<string, UnreadableRun>();
      const onUnreadable = (found: UnreadableRun) => void unreadable.set(found.runId, found);
      const ledger = new RunLedger({ redis, prefix, onUnreadable });
      const observed = new ObservedRuns({ ledger, redis, prefix, ...settling(context) });
      const findings = findingsOf(await observed.unfinished());
      const left = describeUnreadableRuns([...unreadable.values()]);
      return [...findings, ...left.map((text) => warning('runs', text, 'See: embedline runs list'))];
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

import { ObservedRuns, RunLedger, type Releasers } from '@embedline/core';
import { notice, openRedis, settling, type CommandContext } from './context.ts';

/** A scheduled pipeline whose last run has lost its producer: nothing says how that run ended, since it has not. */
export async function tellLostRuns(
  pipelines: readonly string[],
  context: CommandContext,
  releasers: Releasers,
): Promise<void> {
  // Whatever is to be said of Redis has been said.
  const { redis } = await openRedis(context, releasers, () => undefined);
  const { prefix } = context.config;
  const ledger = new RunLedger({ redis, prefix });
  const runs = new ObservedRuns({ ledger, redis, prefix, ...settling(context) });
  for (const { spec, lost } of await runs.unfinished())
    if (lost !== undefined && pipelines.includes(spec.pipeline))
      notice(context, `Run ${spec.runId} of ${spec.pipeline} is lost. ${lost.reason}. ${lost.remedy}`);
}

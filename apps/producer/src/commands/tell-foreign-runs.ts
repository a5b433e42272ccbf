import { DEFAULT_PREFIX, type ObservedRuns, type VectorStore } from '@embedline/core';
import { describeForeignRuns, findForeignRuns, FOREIGN_RUNS_REMEDY } from '../ingest/foreign-runs.ts';
import { notice, type CommandContext } from './context.ts';

const told = new WeakSet<CommandContext>();

/** Warns once for each command, whatever number of pipelines it ingests. A prefix that somebody chose is meant. */
export async function tellForeignRuns(
  context: CommandContext,
  runs: ObservedRuns,
  store: VectorStore,
): Promise<void> {
  if (context.config.prefix !== DEFAULT_PREFIX || told.has(context)) return;
  // Only a warning: a store that does not let us look at the others' collections does not stop the ingest.
  const foreign = await findForeignRuns(runs, store).catch(() => []);
  if (foreign.length === 0) return;
  told.add(context);
  notice(context, `${describeForeignRuns(foreign)} ${FOREIGN_RUNS_REMEDY}`);
}

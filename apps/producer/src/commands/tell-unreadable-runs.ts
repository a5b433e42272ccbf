import type { UnreadableRun } from '@embedline/core';
import { countOf } from '../terminal/format.ts';
import { safeText } from '../terminal/safe-text.ts';
import type { CommandContext } from './command-context.ts';
import { notice } from './printing.ts';

const MAX_NAMED = 10;

/** Says which runs a list does not show, and what to do. */
export function tellUnreadableRuns(found: ReadonlyMap<string, UnreadableRun>, context: CommandContext): void {
  for (const text of describeUnreadableRuns([...found.values()])) notice(context, text);
}

/** A sentence for those that a newer version wrote, and one for damaged ones. */
export function describeUnreadableRuns(found: readonly UnreadableRun[]): string[] {
  const { newer = [], damaged = [] } = Object.groupBy(found, ({ reason }) => reason);
  return [
    ...(newer.length === 0
      ? []
      : [
          `Not shown, since a newer version of embedline wrote the record: ${named(newer)}. Update embedline on this machine.`,
        ]),
    ...(damaged.length === 0
      ? []
      : [
          `Not shown, since the record in Redis is damaged: ${named(damaged)}. Ingest the pipeline again. If other programs write ` +
            `to this Redis, give embedline its own.`,
        ]),
  ];
}

function named(runs: readonly UnreadableRun[]): string {
  const names = runs.slice(0, MAX_NAMED).map(({ runId }) => safeText(runId.slice(0, 100)));
  const more = runs.length > names.length ? `, and ${runs.length - names.length} more` : '';
  return `${countOf(runs.length, 'run')} (${names.join(', ')}${more})`;
}

import { InvalidArgumentError, type Command } from 'commander';
import type { RunState } from '@embedline/core';
import type { CancelFlags, ListRunsFlags, PruneFlags } from '../commands/runs.ts';
import { wholeNumber } from './options.ts';
import type { Run } from './run.ts';

const STATES: readonly RunState[] = [
  'running',
  'lost',
  'done',
  'failed',
  'interrupted',
  'cancelled',
  'unknown',
];
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 24 * 3_600_000, w: 7 * 24 * 3_600_000 };

/** The record of runs: what ran, stopping one, forgetting old ones. */
export function addRunsCommands(program: Command, run: Run): void {
  const runs = program.command('runs').description('list, cancel and forget runs');
  runs
    .command('list')
    .description('runs, newest first')
    .option('--pipeline <name>', 'only runs of this pipeline')
    .option('--state <list>', `only runs in these states, e.g. failed,lost; of ${STATES.join(', ')}`, states)
    .option('-n, --limit <n>', 'number of runs', wholeNumber(1), 20)
    .option('--json', 'one JSON object per run')
    .addHelpText(
      'after',
      `\nExamples:\n  embedline runs list --pipeline docs\n  embedline runs list --state running,lost`,
    )
    .action((flags: ListRunsFlags) =>
      run(async (context) => (await import('../commands/runs.ts')).listRuns(flags, context)),
    );
  runs
    .command('cancel')
    .argument('<run>', 'id of the run')
    .description('stop a run wherever its producer is, and drop its queue')
    .option('--json', 'what became of it, as a JSON object')
    .addHelpText(
      'after',
      `
What was embedded stays, and ingesting again does the rest. The producer of the run ends with exit code 130. The queue of a
run that has lost its producer is dropped as well; of one that has ended there is nothing to cancel, which is said.

Example:
  embedline runs cancel 20260101T030000-1a2b3c`,
    )
    .action((id: string, flags: CancelFlags) =>
      run(async (context) => (await import('../commands/runs.ts')).cancelRun(id, flags, context)),
    );
  runs
    .command('prune')
    .description('forget runs that have ended, with their dead letters')
    .option(
      '--older-than <time>',
      'that ended longer ago than this, e.g. 30d, 12h; default: 30d, or 0d with --keep',
      duration,
    )
    .option('--keep <n>', 'newest ended runs of each pipeline that stay; default: 0', wholeNumber(0))
    .option('--pipeline <name>', 'only runs of this pipeline')
    .option('--dry-run', 'say what would be forgotten, and forget nothing')
    .option('--json', 'one JSON object per run, the summary last')
    .addHelpText(
      'after',
      `
A run that has not ended is never forgotten. Without this command, each pipeline keeps at most 200 ended runs, 2 MB and 30
days of them; its last ten, and its last ten that failed or have dead letters, for 90 days.

Examples:
  embedline runs prune --older-than 7d
  embedline runs prune --pipeline docs --keep 5`,
    )
    .action((flags: PruneFlags) =>
      run(async (context) => (await import('../commands/runs.ts')).pruneRuns(flags, context)),
    );
}

function states(text: string, before: readonly RunState[] = []): RunState[] {
  const named = text.split(',').map((part) => part.trim());
  const known = named.map((name) => STATES.find((state) => state === name));
  const unknown = named.find((_, index) => known[index] === undefined);
  if (unknown !== undefined)
    throw new InvalidArgumentError(
      `There is no state ${JSON.stringify(unknown)}. Expected some of ${STATES.join(', ')}.`,
    );
  return [...before, ...known.filter((state) => state !== undefined)];
}

function duration(text: string): number {
  const { amount, unit } = /^(?<amount>\d{1,6})(?<unit>[mhdw])$/.exec(text)?.groups ?? {};
  if (amount === undefined || unit === undefined)
    throw new InvalidArgumentError('Expected a time such as 30d, 12h, 90m or 2w.');
  return Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import type { FailedFlags, RetryFlags } from '../commands/failed.ts';
import { wholeNumber } from './options.ts';
import type { Run } from './run.ts';

/** What was given up on, and what to do about it. */
export function addFailedCommands(program: Command, run: Run): void {
  const failed = program
    .command('failed')
    .description('dead letters: records and chunks that were given up on');
  chosen(failed.command('list').description('by cause'))
    .option('--json', 'one JSON object per dead letter')
    .addHelpText('after', `\nExample:\n  embedline failed list`)
    .action((flags: FailedFlags) =>
      run(async (context) => (await import('../commands/failed.ts')).listFailed(flags, context)),
    );
  chosen(
    failed
      .command('retry')
      .description('try the chunks again, after a fix; from any machine, within a week of the newest run'),
  )
    .option(
      '--workers <n>',
      `worker processes to run meanwhile; default: 0 with REDIS_URL, else one per core (${availableParallelism()} here)`,
      wholeNumber(0),
    )
    .option('--json', 'progress and summary as JSON objects, one per line')
    .addHelpText('after', `\nExample:\n  embedline failed retry --cause EMBEDDING_FAILED`)
    .action((flags: RetryFlags) =>
      run(async (context) => (await import('../commands/failed.ts')).retryFailedCommand(flags, context)),
    );
  chosen(failed.command('drop').description('forget them, and the texts that were kept for trying again'))
    .option('--json', 'what was forgotten, as a JSON object')
    .addHelpText('after', `\nExample:\n  embedline failed drop --run 20260101T030000-1a2b3c`)
    .action((flags: FailedFlags) =>
      run(async (context) => (await import('../commands/failed.ts')).dropFailed(flags, context)),
    );
}

function chosen(command: Command): Command {
  return command
    .option('--run <id>', 'of this run; default: the newest that has any')
    .option('--cause <code>', 'only those of this cause, e.g. EMBEDDING_FAILED');
}

import type { Command } from 'commander';
import { searchCommand, type SearchFlags } from '../commands/search.ts';
import { statusCommand, type StatusFlags } from '../commands/status.ts';
import { wholeNumber } from './options.ts';
import type { Run } from './run.ts';

/** Commands that only show what is there. */
export function addReadingCommands(program: Command, run: Run): void {
  program
    .command('search')
    .argument('<text>', 'what to look for')
    .description('find the chunks nearest to a text')
    .requiredOption('-c, --collection <name>', 'where to look')
    .option('-n, --limit <n>', 'number of hits', wholeNumber(1), 5)
    .option('-f, --filter <field=value>', 'only hits with this metadata; may be repeated', collect, [])
    .option('--exact', 'compare with every point instead of an index')
    .option('--model <id>', "the collection's model, when it lies elsewhere than at ingest")
    .option('--json', 'one JSON object per hit')
    .addHelpText(
      'after',
      `\nExample:\n  embedline search "war on poverty" --collection sotu --filter year=1964`,
    )
    .action((text: string, flags: SearchFlags) => run((context) => searchCommand(text, flags, context)));
  program
    .command('status')
    .argument('[run]', 'id of one run; default: all')
    .description('progress of the runs, newest first')
    .option('--watch', 'until nothing runs any more')
    .option('-n, --limit <n>', 'number of runs', wholeNumber(1), 10)
    .option('--json', 'one JSON object per run')
    .addHelpText('after', `\nExample:\n  embedline status --watch`)
    .action((id: string | undefined, flags: StatusFlags) =>
      run((context) => statusCommand(id, flags, context)),
    );
}

function collect(value: string, values: readonly string[]): string[] {
  return [...values, value];
}

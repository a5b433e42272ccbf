import type { Command } from 'commander';
import type { SearchFlags } from '../commands/search.ts';
import type { StatusFlags } from '../commands/status.ts';
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
    .option('-f, --filter <condition>', 'only hits with this metadata; repeated, all must hold', collect, [])
    .option('--exact', 'compare with every point instead of an index')
    .option('--model <id>', "the collection's model, when it lies elsewhere than at ingest")
    .option('--json', 'one JSON object per hit')
    .addHelpText(
      'after',
      `
Filters compare a metadata field, or document_id, title or pipeline, with a value:
  year=2009              the text or the number; likewise true, false (in any
                         case) and null
  isbn:text=2009         of this type only: text, number, boolean or date
  lang!=de               not this value; points without the field pass
  year>=2009             a range of numbers or dates, also <=, > and <
  day<=2024-05-01        a day is the whole day, in UTC; also
                         2024-05-01T12:30:00+02:00
  "lang in de,fr"        one of these; "lang not in de,fr" none of them
  "name=\\"a, b\\""        double quotes make a text, and let fields hold anything
A field that holds a list matches when one of its elements does.

Examples:
  embedline search "war on poverty" --collection sotu --filter year=1964
  embedline search "inflation" --collection sotu --filter 'year>=1970' --filter 'party!=Democratic'`,
    )
    .action((text: string, flags: SearchFlags) =>
      run(async (context) => (await import('../commands/search.ts')).searchCommand(text, flags, context)),
    );
  program
    .command('status')
    .argument('[run]', 'id of one run; default: all')
    .description('progress of the runs, newest first')
    .option('--watch', 'until nothing runs any more')
    .option(
      '-n, --limit <n>',
      'number of runs; those that have not ended are always shown',
      wholeNumber(1),
      10,
    )
    .option('--json', 'one JSON object per run')
    .addHelpText(
      'after',
      `
A run whose producer died is lost: it gets no further until its pipeline is ingested again.

Exit code: 0. With --watch: 0 all that was watched is done, 3 done with dead letters, 1 something failed, was stopped or is lost.

Examples:
  embedline status
  embedline status --watch`,
    )
    .action((id: string | undefined, flags: StatusFlags) =>
      run(async (context) => (await import('../commands/status.ts')).statusCommand(id, flags, context)),
    );
}

function collect(value: string, values: readonly string[]): string[] {
  return [...values, value];
}

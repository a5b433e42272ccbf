import {
  EmbedlineError,
  isEmbedlineError,
  listenForStop,
  messageOf,
  redactSecrets,
  type Config,
} from '@embedline/core';
import { Command, CommanderError } from 'commander';
import {
  dropCollection,
  listCollections,
  rollbackCollection,
  type CollectionsFlags,
} from './commands/collections.ts';
import { EXIT, type CommandContext } from './commands/context.ts';
import { listFailed, type FailedFlags } from './commands/failed.ts';
import { addIngestOptions, wholeNumber, type IngestFlags } from './commands/ingest-options.ts';
import { ingestCommand } from './commands/ingest.ts';
import { searchCommand, type SearchFlags } from './commands/search.ts';
import { statusCommand, type StatusFlags } from './commands/status.ts';
import { safeText } from './terminal/safe-text.ts';
import { styleFor } from './terminal/style.ts';

/** Runs one command line. @returns the exit code: 0 done, 1 failed, 2 usage, 3 done with dead letters, 130 interrupted */
export async function runCli(args: readonly string[], readConfig: () => Config): Promise<number> {
  const secondSignal = new Set<() => void>();
  using stop = listenForStop(() => {
    for (const action of secondSignal) action();
    process.exit(EXIT.interrupted);
  });
  // A reader that has seen enough (| head) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done);
    throw error;
  });
  let exitCode: number = EXIT.done;
  const run = async (command: (context: CommandContext) => Promise<number>) => {
    exitCode = await command({
      config: readConfig(),
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      style: styleFor(process.stdout),
      errorStyle: styleFor(process.stderr),
      signal: stop.signal,
      onSecondSignal: (action) => secondSignal.add(action),
    });
  };
  try {
    await buildProgram(run).parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportError(error, stop.signal, args.includes('--json'));
  }
}

type Run = (command: (context: CommandContext) => Promise<number>) => Promise<void>;

function buildProgram(run: Run): Command {
  const program = new Command('embedline')
    .description('rsync for embeddings: makes a vector collection match a corpus, on any number of workers')
    .exitOverride()
    .showHelpAfterError('(embedline --help lists the commands; embedline COMMAND --help explains one)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 usage, 3 done with dead letters, 130 interrupted',
    );
  addIngestOptions(
    program.command('ingest').argument('[sources...]', 'files, directories, globs, or - for standard input'),
  )
    .description('make the collection match the corpus')
    .addHelpText(
      'after',
      `
Examples:
  embedline ingest ./docs --collection docs
  embedline ingest 'books/**/*.txt' --collection books --metadata-fields year,author
  embedline ingest data.jsonl.gz --collection data --id-field key --text-field body
  zcat dump.gz | embedline ingest - --collection dump --json`,
    )
    .action((sources: string[], flags: IngestFlags) =>
      run((context) => ingestCommand(sources, flags, context)),
    );
  addReadingCommands(program, run);
  return program;
}

function addReadingCommands(program: Command, run: Run): void {
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
  program
    .command('failed')
    .description('dead letters: records and chunks that were given up on')
    .command('list')
    .description('by cause')
    .option('--run <id>', 'of this run; default: the newest that has any')
    .option('--json', 'one JSON object per dead letter')
    .addHelpText('after', `\nExample:\n  embedline failed list`)
    .action((flags: FailedFlags) => run((context) => listFailed(flags, context)));
  addCollectionCommands(program.command('collections').description('collections and their generations'), run);
}

function addCollectionCommands(collections: Command, run: Run): void {
  collections
    .command('list')
    .description('every generation of every collection')
    .option('--json', 'one JSON object per generation')
    .addHelpText('after', `\nExample:\n  embedline collections list`)
    .action((flags: CollectionsFlags) => run((context) => listCollections(flags, context)));
  collections
    .command('rollback')
    .argument('<name>', 'the collection')
    .description('make the generation before the live one live again')
    .addHelpText('after', `\nExample:\n  embedline collections rollback docs`)
    .action((name: string) => run((context) => rollbackCollection(name, context)));
  collections
    .command('drop')
    .argument('<name>', 'the collection')
    .description('delete a collection with all its generations')
    .addHelpText('after', `\nExample:\n  embedline collections drop docs`)
    .action((name: string) => run((context) => dropCollection(name, context)));
}

function collect(value: string, values: readonly string[]): string[] {
  return [...values, value];
}

function reportError(error: unknown, stop: AbortSignal, json: boolean): number {
  // commander has printed its message and the help already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (stop.aborted) {
    process.stderr.write(
      'Stopped. What was done stays done; running the same command again goes on from there.\n',
    );
    return EXIT.interrupted;
  }
  const message = redactSecrets(messageOf(error)).split('\n').map(safeText).join('\n');
  if (json)
    process.stdout.write(
      `${JSON.stringify({ type: 'error', code: isEmbedlineError(error) ? error.code : 'INTERNAL', message })}\n`,
    );
  const style = styleFor(process.stderr);
  process.stderr.write(`${style.red('error:')} ${message}\n`);
  if (!(error instanceof EmbedlineError) && error instanceof Error) {
    process.stderr.write(`${style.dim(redactSecrets(error.stack ?? ''))}\nThis is a bug in embedline.\n`);
  }
  return isEmbedlineError(error, 'USAGE') || isEmbedlineError(error, 'CONFIG_INVALID')
    ? EXIT.usage
    : EXIT.failed;
}

import type { Command } from 'commander';
import type { DeleteFlags } from '../commands/delete.ts';
import type { InitFlags } from '../commands/init.ts';
import type { VerifyFlags } from '../commands/verify.ts';
import { DEFAULT_CONFIG_FILE } from '../pipeline/config-files.ts';
import {
  addPipelineOptions,
  addRunOptions,
  cosine,
  metadataFields,
  wholeNumber,
  type IngestFlags,
} from './options.ts';
import type { Run } from './run.ts';

const SOURCES =
  'files, directories, globs, or - for standard input; without --collection, names of configured pipelines';

/** Commands that read a corpus, or change what a collection holds of it. */
export function addCorpusCommands(program: Command, run: Run): void {
  const command = (name: string) =>
    addRunOptions(addPipelineOptions(program.command(name).argument('[sources...]', SOURCES)));
  command('ingest')
    .description('make the collection match the corpus')
    .option('--dry-run', 'the same as plan: say what would be done, and write nothing')
    .option('--detach', 'hand a configured pipeline to a running embedline serve, and return at once')
    .addHelpText(
      'after',
      `
Examples:
  embedline ingest ./docs --collection docs
  embedline ingest 'books/**/*.txt' --collection books --metadata-fields year,author
  embedline ingest data.jsonl.gz --collection data --id-field key --text-field body
  zcat dump.gz | embedline ingest - --collection dump --json
  embedline ingest --all                                   every pipeline of embedline.config.ts`,
    )
    .action((sources: string[], flags: IngestFlags) =>
      run(async (context) => (await import('../commands/ingest.ts')).ingestCommand(sources, flags, context)),
    );
  command('plan')
    .description(
      'say what an ingest would do: new, changed, unchanged, removed; tokens and time. Writes nothing',
    )
    .addHelpText('after', `\nExample:\n  embedline plan ./docs --collection docs`)
    .action((sources: string[], flags: IngestFlags) =>
      run(async (context) => (await import('../commands/plan.ts')).planCommand(sources, flags, context)),
    );
  command('verify')
    .description('compare the collection with the corpus, and a sample of its vectors with fresh ones')
    .option('--sample <n>', 'points whose vectors are made again', wholeNumber(0), 100)
    .option('--min-cosine <x>', 'a vector further from its fresh one is wrong', cosine, 0.999)
    .option('--repair', 'ingest when something is wrong, and verify again')
    .addHelpText(
      'after',
      `
Exit code: 0 sound, 1 not what the corpus says, 3 not judged in full, since not all of the corpus can be read.

Example:
  embedline verify ./docs --collection docs --repair`,
    )
    .action((sources: string[], flags: VerifyFlags) =>
      run(async (context) => (await import('../commands/verify.ts')).verifyCommand(sources, flags, context)),
    );
  addDelete(program, run);
  addInit(program, run);
}

function addDelete(program: Command, run: Run): void {
  program
    .command('delete')
    .description('delete every point of some documents')
    .requiredOption('-c, --collection <name>', 'where they are')
    .option('--pipeline <name>', 'the pipeline that wrote them; default: the collection')
    .option('--id <ids...>', 'ids of documents', [])
    .option('--ids-from <file>', 'a file with an id a line, or - for standard input')
    .option('--wait', 'wait for an ingest of the pipeline instead of failing')
    .option('--json', 'one JSON object')
    .addHelpText('after', `\nExample:\n  embedline delete --collection docs --id guide/old.md guide/older.md`)
    .action((flags: DeleteFlags) =>
      run(async (context) => (await import('../commands/delete.ts')).deleteCommand(flags, context)),
    );
}

function addInit(program: Command, run: Run): void {
  program
    .command('init')
    .argument('[sources...]', 'files, directories or globs; on a terminal you are asked when there are none')
    .description('write a commented starter configuration file')
    .option('--name <name>', 'name of the pipeline; default: made from the first source')
    .option('--metadata-fields <list>', 'fields to keep', metadataFields)
    .option('--cron <pattern>', 'when it is to run, e.g. "0 3 * * *"')
    .option('--tz <name>', 'time zone of that pattern; default: UTC')
    .option('--file <file>', 'what to write: .ts with comments, or .json', DEFAULT_CONFIG_FILE)
    .option('--force', 'replace a file that is there')
    .option('--json', 'what was written, as a JSON object')
    .addHelpText(
      'after',
      `\nExample:\n  embedline init ./docs --name docs --cron "0 3 * * *" --tz Europe/Zurich`,
    )
    .action((sources: string[], flags: InitFlags) =>
      run(async (context) => (await import('../commands/init.ts')).initCommand(sources, flags, context)),
    );
}

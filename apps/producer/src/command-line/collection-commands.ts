import type { Command } from 'commander';
import type {
  ChangeCollectionFlags,
  CollectionsFlags,
  DropCollectionFlags,
} from '../commands/collections.ts';
import type { Run } from './run.ts';

/** Commands on generations and their public names. */
export function addCollectionCommands(program: Command, run: Run): void {
  const collections = program.command('collections').description('collections and their generations');
  collections
    .command('list')
    .description('every generation of every collection')
    .option('--json', 'one JSON object per generation')
    .addHelpText('after', `\nExample:\n  embedline collections list`)
    .action((flags: CollectionsFlags) =>
      run(async (context) => (await import('../commands/collections.ts')).listCollections(flags, context)),
    );
  changing(collections.command('rollback'))
    .description('make the generation before the live one live again')
    .addHelpText('after', `\nExample:\n  embedline collections rollback docs`)
    .action((name: string, flags: ChangeCollectionFlags) =>
      run(async (context) =>
        (await import('../commands/collections.ts')).rollbackCollection(name, flags, context),
      ),
    );
  changing(collections.command('drop'))
    .description('delete a collection with all its generations; asks on a terminal')
    .option('--yes', 'do not ask; needed where nobody can be asked')
    .addHelpText('after', `\nExample:\n  embedline collections drop docs --yes`)
    .action((name: string, flags: DropCollectionFlags) =>
      run(async (context) =>
        (await import('../commands/collections.ts')).dropCollection(name, flags, context),
      ),
    );
}

function changing(command: Command): Command {
  return command
    .argument('<name>', 'the collection')
    .option('--wait', 'wait for an ingest of the collection instead of failing')
    .option('--json', 'what was done, as a JSON object');
}

import { VERSION } from '@embedline/core/base';
import { Command, CommanderError } from 'commander';
import { addCollectionCommands } from './collection-commands.ts';
import { addCorpusCommands } from './corpus-commands.ts';
import { addFailedCommands } from './failed-commands.ts';
import { addModelCommands } from './model-commands.ts';
import { addReadingCommands } from './reading-commands.ts';
import type { Run } from './run.ts';
import { addRunsCommands } from './runs-commands.ts';
import { addServingCommands } from './serving-commands.ts';

/** The command line: every command with its arguments, flags, help and example. */
export function buildProgram(run: Run): Command {
  const program = new Command('embedline')
    .version(VERSION)
    .description('rsync for embeddings: makes a vector collection match a corpus, on any number of workers')
    .exitOverride()
    .showHelpAfterError('(embedline --help lists the commands; embedline COMMAND --help explains one)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 usage, 3 done with dead letters, 130 interrupted or cancelled',
    );
  addCorpusCommands(program, run);
  addReadingCommands(program, run);
  addFailedCommands(program, run);
  addRunsCommands(program, run);
  addCollectionCommands(program, run);
  addModelCommands(program, run);
  addServingCommands(program, run);
  return program;
}

/** True for a command line that is not usable, false for one that only asked for help; null for any other error. */
export function isUsageError(error: unknown): boolean | null {
  return error instanceof CommanderError ? error.exitCode !== 0 : null;
}

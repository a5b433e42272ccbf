import { DEFAULT_MODEL_ID } from '@embedline/core/base';
import type { Command } from 'commander';
import type { DistillFlags } from '../commands/distill.ts';
import type { ModelsFlags } from '../commands/models.ts';
import { wholeNumber } from './options.ts';
import type { Run } from './run.ts';

/** Commands on models. */
export function addModelCommands(program: Command, run: Run): void {
  const models = program.command('models').description('models that are here, and faster ones made of them');
  models
    .command('list')
    .description('every model in EMBEDLINE_MODELS')
    .option('--json', 'one JSON object per model')
    .addHelpText('after', `\nExample:\n  embedline models list`)
    .action((flags: ModelsFlags) =>
      run(async (context) => (await import('../commands/models.ts')).listModelsCommand(flags, context)),
    );
  models
    .command('distill')
    .description('make a static model: a vector per token, no network, much faster and less exact')
    .option('--from <model>', 'the model to distill, as for ingest --model', DEFAULT_MODEL_ID)
    .option('--dtype <dtype>', "which of that model's weights")
    .option('--model-revision <commit>', 'commit of a hub model, 40 hexadecimal digits; needed to fetch one')
    .option(
      '--dimensions <n>',
      "numbers of a vector; default: 256, or the model's where it has fewer",
      wholeNumber(1),
    )
    .option(
      '--corpus <source...>',
      'texts to learn from, as for ingest: what is like them is found much better; default: none',
    )
    .option('--out <folder>', 'models folder to write to; default: EMBEDLINE_MODELS')
    .option('--name <name>', 'id of the new model; default: static/<model>-<dimensions>')
    .option('--json', 'one JSON object per line on stdout, the summary last')
    .addHelpText(
      'after',
      `\nExample:\n  embedline models distill --corpus ./docs --name fast\n  embedline ingest ./docs --collection docs --model fast`,
    )
    .action((flags: DistillFlags) =>
      run(async (context) => (await import('../commands/distill.ts')).distillCommand(flags, context)),
    );
}

import { isEmbedlineError } from '@embedline/core/base';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import { printError } from '../terminal/print-error.ts';
import { EXIT, printLine, type CommandContext } from './context.ts';

/** How a command shows what it does: for people or for programs. */
export interface Presentation {
  readonly json: boolean;
  readonly context: CommandContext;
}

/** One pipeline that fails does not keep the others from their turn; the worst exit code counts. */
export async function eachPipeline(
  definitions: readonly PipelineDefinition[],
  { json, context }: Presentation,
  run: (definition: PipelineDefinition) => Promise<number>,
): Promise<number> {
  const [only] = definitions;
  if (definitions.length === 1 && only !== undefined) return run(only);
  const codes = new Set<number>();
  for (const definition of definitions) {
    context.signal.throwIfAborted();
    if (!json) printLine(context.stdout, context.style.bold(`== ${definition.name}`));
    try {
      codes.add(await run(definition));
    } catch (error) {
      if (context.signal.aborted) throw error;
      printError(error, { json, pipeline: definition.name, context });
      codes.add(isEmbedlineError(error, 'RUN_CANCELLED') ? EXIT.interrupted : EXIT.failed);
    }
  }
  return [EXIT.failed, EXIT.interrupted, EXIT.deadLetters].find((code) => codes.has(code)) ?? EXIT.done;
}

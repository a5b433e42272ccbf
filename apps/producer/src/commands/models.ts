import { listModels, type ListedModel } from '@embedline/core';
import { formatCount, formatMegabytes } from '../terminal/format.ts';
import type { Style } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { EXIT, notice, printJson, printLine, type CommandContext } from './context.ts';

export interface ModelsFlags {
  readonly json?: true;
}

/** `embedline models list`: every model that `--model` finds by its id. @returns the exit code */
export async function listModelsCommand(flags: ModelsFlags, context: CommandContext): Promise<number> {
  const { modelsDirectory, dataDirectory } = context.config;
  const { models, unusable } = await listModels({ modelsDirectory, dataDirectory });
  for (const { model } of models) for (const warning of model.warnings) notice(context, warning);
  for (const { id, reason } of unusable) notice(context, `${id} cannot be used: ${reason}`);
  if (flags.json === true) for (const model of models) printJson(context.stdout, modelJson(model));
  else if (models.length === 0) printLine(context.stdout, `No models in ${modelsDirectory}.`);
  else printLine(context.stdout, render(models, context.style));
  return unusable.length === 0 ? EXIT.done : EXIT.failed;
}

/** What programs get to know of a model. */
export function modelJson({ model: { spec, kind, warnings }, weightsBytes }: ListedModel) {
  const { id, dtype, dimensions, maxTokens, hash } = spec;
  return { id, kind, dtype, dimensions, maxTokens, weightsBytes, hash, warnings };
}

function render(models: readonly ListedModel[], style: Style): string {
  return renderTable(
    [
      { header: 'MODEL' },
      { header: 'KIND' },
      { header: 'DTYPE' },
      { header: 'DIMENSIONS', align: 'right' },
      { header: 'MAX TOKENS', align: 'right' },
      { header: 'SIZE', align: 'right' },
      { header: 'SHA-256' },
    ],
    models.map(({ model: { spec, kind }, weightsBytes }) => [
      spec.id,
      kind,
      spec.dtype,
      formatCount(spec.dimensions),
      formatCount(spec.maxTokens),
      formatMegabytes(weightsBytes),
      spec.hash.slice(0, 12),
    ]),
    style,
  );
}

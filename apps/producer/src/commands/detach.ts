import { EmbedlineError, Releasers, type IngestRequestOptions } from '@embedline/core';
import type { IngestFlags } from '../command-line/options.ts';
import { assertServable } from '../pipeline/assert-servable.ts';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import { EXIT, printJson, printLine, type CommandContext } from './context.ts';
import { openSchedules } from './schedule.ts';

/** Flags that a request for an ingest can carry; everything else is the configuration file's. */
const CARRIED = new Set([
  'rebuild',
  'reuse',
  'maxDelete',
  'maxGivenUp',
  'sweepIncomplete',
  'detach',
  'json',
  'config',
  'all',
]);

/** `embedline ingest NAME --detach`: asks whoever serves for an ingest. @returns the exit code */
export async function detach(
  definitions: readonly PipelineDefinition[],
  flags: IngestFlags,
  context: CommandContext,
): Promise<number> {
  if (flags.collection !== undefined)
    throw new EmbedlineError(
      'USAGE',
      '--detach takes names of configured pipelines: whoever serves reads their sources.',
    );
  const others = Object.entries(flags).filter(([flag, value]) => value !== undefined && !CARRIED.has(flag));
  if (others.length > 0) {
    throw new EmbedlineError(
      'USAGE',
      `--detach cannot carry ${others.map(asTyped).join(', ')}: the configuration file of whoever serves says how a pipeline ` +
        `is ingested.`,
    );
  }
  definitions.forEach(assertServable);
  await using releasers = new Releasers();
  const schedules = await openSchedules(context, releasers);
  for (const { name } of definitions) {
    const request = await schedules.request(name, optionsOf(flags));
    if (flags.json === true) printJson(context.stdout, { type: 'requested', pipeline: name, request });
    else printLine(context.stdout, `${name} will be ingested by the next free: embedline serve`);
  }
  return EXIT.done;
}

/** `maxLineBytes` is `--max-line-bytes`, and `ignore: false` is `--no-ignore`. */
function asTyped([flag, value]: [string, unknown]): string {
  return `${value === false ? '--no-' : '--'}${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function optionsOf(flags: IngestFlags): IngestRequestOptions {
  const { rebuild, reuse, sweepIncomplete, maxDelete, maxGivenUp } = flags;
  return {
    ...(rebuild === true ? { rebuild } : {}),
    ...(reuse === false ? { reuse } : {}),
    ...(sweepIncomplete === true ? { sweepIncomplete } : {}),
    ...(typeof maxDelete === 'string' ? { maxDelete: Number(maxDelete.replace('%', '')) } : {}),
    ...(typeof maxGivenUp === 'string' ? { maxGivenUp: Number(maxGivenUp.replace('%', '')) } : {}),
  };
}

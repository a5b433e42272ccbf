import { EmbedlineError } from '@embedline/core';
import type { PipelineDefinition } from './definition.ts';

/**
 * An ingest that a server starts has no standard input: read there it would be an empty corpus, and everything would be
 * held to have vanished.
 * @throws EmbedlineError USAGE
 */
export function assertServable({ name, sources }: PipelineDefinition): void {
  if (
    !sources.some(
      (source) => source === '-' || (typeof source === 'object' && 'path' in source && source.path === '-'),
    )
  )
    return;
  throw new EmbedlineError(
    'USAGE',
    `Pipeline ${name} reads standard input (source "-"), which an ingest by schedule or --detach has none of. Name a file, or ` +
      `a command: { command: ["program", "argument"] }.`,
  );
}

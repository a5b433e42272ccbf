import { EmbedlineError } from '@embedline/core';

/** Every batch counts as done, and no dead letter says why they are not there. */
export function chunksMissing(generation: string, missing: number): EmbedlineError {
  return new EmbedlineError(
    'STORE_MISMATCH',
    `${generation} lacks chunks of this run (${missing}), although all of its batches ` +
      `count as done: something else has written to Redis or to the store. Nothing was deleted. Ingest again, which does what is missing; if it ` +
      `stays, ingest with --rebuild.`,
  );
}

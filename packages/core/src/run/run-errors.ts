import { EmbedlineError } from '../errors.ts';

/** Redis has no record of the run. */
export function runLost(runId: string): EmbedlineError {
  return new EmbedlineError(
    'RUN_LOST',
    `Redis has lost run ${runId}: it was emptied, or restarted without its data. Nothing wrong was written. ` +
      `Switch on persistence (appendonly yes), then ingest again: that costs only the difference.`,
  );
}

/** Another process ended the run because its producer seemed to be dead. */
export function runSuperseded(runId: string): EmbedlineError {
  return new EmbedlineError(
    'RUN_SUPERSEDED',
    `Run ${runId} was ended by another process, which took it for dead. Ingest again: that costs only the difference.`,
  );
}

/** A person cancelled the run, from this machine or another. */
export function runCancelled(runId: string): EmbedlineError {
  return new EmbedlineError(
    'RUN_CANCELLED',
    `Run ${runId} was cancelled (embedline runs cancel). What was done stays done; ingesting again does the rest.`,
  );
}

/** The run is sealed with fewer batches. */
export function noSuchBatch(runId: string, batchIndex: number): EmbedlineError {
  return new EmbedlineError(
    'JOB_INVALID',
    `Run ${runId} is sealed and has no batch ${batchIndex}. If something else writes to this Redis, give embedline its own.`,
  );
}

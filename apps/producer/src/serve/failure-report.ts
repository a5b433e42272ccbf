import { hostname } from 'node:os';
import { redactSecrets, type Execution, type IngestRequest, type IngestResult } from '@embedline/core';

/** What a failure hook is told, as JSON. Times are in UTC, as ISO 8601 writes them. */
export interface FailureReport {
  readonly type: 'ingest-failed';
  readonly version: 1;
  readonly pipeline: string;
  readonly kind: 'scheduled' | 'detached';
  /**
   * `guard`: stopped before it deleted or published too much. `lost`: Redis lost the run, or another took it over.
   * `dead-letters`: done, but some of it was given up on.
   */
  readonly reason: 'failed' | 'guard' | 'lost' | 'dead-letters';
  /** Of the error, e.g. `DELETE_GUARD`. */
  readonly code: string | null;
  readonly message: string | null;
  readonly run: string | null;
  /** Null for one that was asked for. */
  readonly scheduledFor: string | null;
  readonly startedAt: string;
  readonly endedAt: string;
  /** The machine that it ran on. */
  readonly host: string;
  /** The last line of `ingest --json`; null when it did not come so far. */
  readonly summary: Readonly<Record<string, unknown>> | null;
  /** Reports of this pipeline that were left out before this one, for being too many. */
  readonly leftOut: number;
}

/** Null for an ingest of which there is nothing to tell. */
export function failureReport(
  { pipeline }: Pick<IngestRequest, 'pipeline'>,
  result: IngestResult,
  execution: Execution,
): Omit<FailureReport, 'leftOut'> | null {
  if (result.outcome === 'done' || result.outcome === 'skipped' || execution.outcome === 'locked')
    return null;
  const iso = (timeMs: number) => new Date(timeMs).toISOString();
  const code = execution.code ?? null;
  return {
    type: 'ingest-failed',
    version: 1,
    pipeline,
    kind: result.kind,
    reason: result.outcome === 'dead-letters' ? 'dead-letters' : reasonOf(code),
    code,
    message: result.message === null ? null : redactSecrets(result.message),
    run: result.runId,
    scheduledFor: result.scheduledForMs === null ? null : iso(result.scheduledForMs),
    startedAt: iso(result.startedAtMs),
    endedAt: iso(result.endedAtMs),
    host: hostname(),
    summary: execution.summary ?? null,
  };
}

function reasonOf(code: string | null): FailureReport['reason'] {
  if (code?.endsWith('_GUARD') === true) return 'guard';
  return code === 'RUN_LOST' || code === 'RUN_SUPERSEDED' ? 'lost' : 'failed';
}

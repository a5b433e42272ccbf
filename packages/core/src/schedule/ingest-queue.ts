import { REQUEST_VERSION, type IngestRequest, type Overlap } from './ingest-request.ts';

/** Finished jobs say nothing that the results do not say; failed ones are kept a week for whoever looks. */
export const INGEST_JOB_OPTIONS = Object.freeze({
  removeOnComplete: { count: 100 },
  removeOnFail: { age: 7 * 24 * 3600, count: 1000 },
});

/** The request that a schedule makes. */
export function scheduledRequest(pipeline: string, overlap: Overlap): IngestRequest {
  return { version: REQUEST_VERSION, pipeline, kind: 'scheduled', overlap, options: {} };
}

/** One job for each time of a schedule, whichever server makes it and however often. */
export function tickJobId(pipeline: string, tickMs: number): string {
  return `scheduled-${pipeline}-${tickMs}`;
}

/** When a job with such an id was due, in milliseconds since the epoch; null for any other. */
export function tickOfJobId(pipeline: string, jobId: string | undefined): number | null {
  const start = `scheduled-${pipeline}-`;
  if (jobId?.startsWith(start) !== true) return null;
  const digits = jobId.slice(start.length);
  return /^\d{1,15}$/.test(digits) ? Number(digits) : null;
}

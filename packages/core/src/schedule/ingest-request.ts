import { z } from 'zod';
import { storedTimeMs } from '../stored-numbers.ts';

/** What a tick does while the ingest before it still runs: nothing, or wait; more than one never waits. */
export const overlapSchema = z.enum(['skip', 'queue-one']);
export type Overlap = z.infer<typeof overlapSchema>;

/** What a person may want of one run. No path, no URL, no model: those are the server's own configuration. */
const requestOptionsSchema = z.looseObject({
  rebuild: z.boolean().optional(),
  reuse: z.boolean().optional(),
  sweepIncomplete: z.boolean().optional(),
  /** Percent, 0 to 100. */
  maxDelete: z.number().min(0).max(100).optional(),
  /** Percent, 0 to 100. */
  maxGivenUp: z.number().min(0).max(100).optional(),
});

/** Of the format of requests; see docs/formats.md. */
export const REQUEST_VERSION = 1;

/** The data of a job in the queue of ingests. It names a pipeline; the server that takes it knows what that is. */
export const ingestRequestSchema = z.looseObject({
  version: z.literal(REQUEST_VERSION),
  pipeline: z.string().regex(/^[A-Za-z0-9][\w.-]{0,99}$/),
  kind: z.enum(['scheduled', 'detached']),
  overlap: overlapSchema,
  options: requestOptionsSchema.default({}),
});
/** What a program of this version makes and acts on. */
export interface IngestRequestOptions {
  readonly rebuild?: boolean | undefined;
  readonly reuse?: boolean | undefined;
  readonly sweepIncomplete?: boolean | undefined;
  readonly maxDelete?: number | undefined;
  readonly maxGivenUp?: number | undefined;
}
/** Options that a newer program of the same version added: they mean nothing here. */
export function unknownOptions({ options }: IngestRequest): string[] {
  return Object.keys(options).filter((name) => !Object.hasOwn(requestOptionsSchema.shape, name));
}

export type IngestRequest = z.infer<typeof ingestRequestSchema>;

/** Of the message of a result, as it is kept. */
export const MAX_MESSAGE_CHARACTERS = 5_000;

/** How a requested ingest ended. */
export const ingestResultSchema = z.object({
  outcome: z.enum(['done', 'dead-letters', 'failed', 'skipped']),
  kind: z.enum(['scheduled', 'detached']),
  runId: z.string().max(64).nullable(),
  /** When its time was; null for one that was asked for. */
  scheduledForMs: storedTimeMs.nullable(),
  startedAtMs: storedTimeMs,
  endedAtMs: storedTimeMs,
  /** Why it failed or was skipped. */
  message: z.string().max(MAX_MESSAGE_CHARACTERS).nullable(),
});
export type IngestResult = z.infer<typeof ingestResultSchema>;

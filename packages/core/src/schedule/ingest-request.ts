import { z } from 'zod';

/** What a tick does while the ingest before it still runs: nothing, or wait; more than one never waits. */
export const overlapSchema = z.enum(['skip', 'queue-one']);
export type Overlap = z.infer<typeof overlapSchema>;

/** What a person may want of one run. No path, no URL, no model: those are the server's own configuration. */
const requestOptionsSchema = z.strictObject({
  rebuild: z.boolean().optional(),
  reuse: z.boolean().optional(),
  sweepIncomplete: z.boolean().optional(),
  /** Percent, 0 to 100. */
  maxDelete: z.number().min(0).max(100).optional(),
  /** Percent, 0 to 100. */
  maxGivenUp: z.number().min(0).max(100).optional(),
});

/** The data of a job in the queue of ingests. It names a pipeline; the server that takes it knows what that is. */
export const ingestRequestSchema = z.strictObject({
  version: z.literal(1),
  pipeline: z.string().regex(/^[A-Za-z0-9][\w.-]{0,99}$/),
  kind: z.enum(['scheduled', 'detached']),
  overlap: overlapSchema,
  options: requestOptionsSchema.default({}),
});
export type IngestRequest = z.infer<typeof ingestRequestSchema>;
export type IngestRequestOptions = z.infer<typeof requestOptionsSchema>;

/** Of the message of a result, as it is kept. */
export const MAX_MESSAGE_CHARACTERS = 5_000;

/** How a requested ingest ended. */
export const ingestResultSchema = z.object({
  outcome: z.enum(['done', 'dead-letters', 'failed', 'skipped']),
  kind: z.enum(['scheduled', 'detached']),
  runId: z.string().max(64).nullable(),
  /** When its time was; null for one that was asked for. */
  scheduledForMs: z.number().nullable(),
  startedAtMs: z.number(),
  endedAtMs: z.number(),
  /** Why it failed or was skipped. */
  message: z.string().max(MAX_MESSAGE_CHARACTERS).nullable(),
});
export type IngestResult = z.infer<typeof ingestResultSchema>;

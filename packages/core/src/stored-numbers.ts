import { z } from 'zod';

/**
 * Bounds of every number that is read back from Redis, a store or a file. They are far above what embedline writes, and
 * low enough that dates can be made of the times, sums stay exact, and no list is made as long as somebody claims.
 */

/** The chunks of one document: 32 MiB of text in the smallest chunks there are come to half of it. */
export const MAX_CHUNKS_OF_DOCUMENT = 2 ** 20;

/** The batches of one run: the bitmap of those that are done has 2 MiB then. */
export const MAX_BATCHES_OF_RUN = 2 ** 24;

/** Offsets are those of strings, which have at most 2^29 units. */
const MAX_OFFSET = 2 ** 31 - 1;

/** No model takes so many at a time. */
const MAX_TOKENS_OF_CHUNK = 2 ** 24;

/** The end of the year 9999: what comes later has no usual form as a date. */
const MAX_TIME_MS = 253_402_300_799_999;

/** A clock that is further ahead than this is not believed. */
const MAX_AHEAD_MS = 24 * 3600 * 1000;

export const storedCount = z.int().min(0);
export const storedChunkIndex = z
  .int()
  .min(0)
  .max(MAX_CHUNKS_OF_DOCUMENT - 1);
export const storedChunkCount = z.int().min(1).max(MAX_CHUNKS_OF_DOCUMENT);
export const storedBatchIndex = z
  .int()
  .min(0)
  .max(MAX_BATCHES_OF_RUN - 1);
export const storedOffset = z.int().min(0).max(MAX_OFFSET);
export const storedTokens = z.int().min(0).max(MAX_TOKENS_OF_CHUNK);

/** Milliseconds since the epoch. */
export const storedTimeMs = z.number().min(0).max(MAX_TIME_MS);

/** A length of time in milliseconds. */
export const storedDurationMs = z.number().min(0).max(MAX_TIME_MS);

/**
 * The sequence of a run is a time of Redis, or the one after the last. Points that carry a larger one could not be
 * replaced by any later run.
 */
export const storedRunSequence = z
  .int()
  .positive()
  .refine((sequence) => sequence <= Date.now() + MAX_AHEAD_MS, 'too far ahead of the clock');

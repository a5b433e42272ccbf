import { z } from 'zod';
import { EmbedlineError } from './errors.ts';

/**
 * The version of run records and of jobs, which are made together. It rises when a program of the version before could
 * not act on them rightly; a field that such a program may leave alone does not raise it.
 *
 * 1: embedline 0.1.0; the batches of all runs share one queue
 * 2: each run has a queue of its own
 */
export const FORMAT_VERSION = 2;

/** Versions that this program reads: its own and the ones before it. */
export const formatVersionSchema = z.union([z.literal(1), z.literal(2)]);
export type FormatVersion = z.infer<typeof formatVersionSchema>;

const versionedSchema = z.object({ version: z.int().positive() });

/**
 * Tells what a newer program wrote from what is damaged or forged.
 * @param value what was read, of whatever shape
 * @throws EmbedlineError VERSION_UNSUPPORTED when it says that it is of a newer version
 */
export function assertNotNewer(what: string, value: unknown): void {
  const parsed = versionedSchema.safeParse(value);
  if (!parsed.success || parsed.data.version <= FORMAT_VERSION) return;
  throw new EmbedlineError(
    'VERSION_UNSUPPORTED',
    `${what} was written by a newer version of embedline (format ${parsed.data.version}; this one reads up to ` +
      `${FORMAT_VERSION}). Update embedline on this machine.`,
  );
}

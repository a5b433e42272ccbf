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
 * @param reads the newest version that this program reads
 * @returns the version that it says, if that is a newer one; else null
 */
export function newerVersion(value: unknown, reads: number): number | null {
  const parsed = versionedSchema.safeParse(value);
  return parsed.success && parsed.data.version > reads ? parsed.data.version : null;
}

/**
 * @param reads defaults to the version of run records and jobs
 * @throws EmbedlineError VERSION_UNSUPPORTED when a value says that it is of a newer version
 */
export function assertNotNewer(what: string, value: unknown, reads: number = FORMAT_VERSION): void {
  const version = newerVersion(value, reads);
  if (version === null) return;
  throw new EmbedlineError(
    'VERSION_UNSUPPORTED',
    `${what} was written by a newer version of embedline (format ${version}; this one reads up to ${reads}). ` +
      `Update embedline on this machine.`,
  );
}

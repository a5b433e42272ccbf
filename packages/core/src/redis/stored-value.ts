import type { z } from 'zod';
import { newerVersion } from '../format-version.ts';

/** Longest value that is read: far above what embedline writes, which are a kilobyte or two. */
const MAX_CHARACTERS = 64 * 1024;

/**
 * A JSON value out of Redis, if it is what was expected. Redis is a trust boundary: whoever may write there may have
 * written anything, so a value that is too long, no JSON or of another shape is as good as absent.
 */
export function parseStored<T>(
  text: string | null | undefined,
  schema: z.ZodType<T>,
  maxCharacters: number = MAX_CHARACTERS,
): T | null {
  const parsed = schema.safeParse(parseText(text, maxCharacters));
  return parsed.success ? parsed.data : null;
}

/** The version of a JSON value out of Redis that a newer program wrote; null for any other. @param reads the newest that is read */
export function newerVersionOfStored(
  text: string | null | undefined,
  reads: number,
  maxCharacters: number = MAX_CHARACTERS,
): number | null {
  return newerVersion(parseText(text, maxCharacters), reads);
}

function parseText(text: string | null | undefined, maxCharacters: number): unknown {
  if (typeof text !== 'string' || text.length > maxCharacters) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

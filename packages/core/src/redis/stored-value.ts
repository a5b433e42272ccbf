import type { z } from 'zod';

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
  if (typeof text !== 'string' || text.length > maxCharacters) return null;
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

import { z } from 'zod';

/**
 * The id of a model: a hub id, or the name of a folder below a models directory. Never a path or a URL, so that one
 * that comes out of Redis leads nowhere but to what this machine calls by that name.
 */
export const modelIdSchema = z
  .string()
  .max(200)
  .regex(
    /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/,
    "expected a hub id or the name of a folder: letters, digits, '_', '.' and '-', with at most one '/'",
  );

/** True for `name` and `owner/name` in letters, digits, `.`, `_` and `-`. */
export function isModelId(text: string): boolean {
  return modelIdSchema.safeParse(text).success;
}

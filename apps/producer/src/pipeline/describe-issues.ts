import type { z } from 'zod';

/** What is wrong, a line each: the key, what was expected, and for a key that is not known those that are. */
export function describeIssues(
  error: z.ZodError,
  schema: z.ZodObject,
  below: readonly string[] = [],
): string[] {
  return error.issues.map((issue) => {
    const key = [...below, ...issue.path.map(String)].join('.') || 'the file';
    if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
      const known = Object.keys(schema.shape).join(', ');
      return `${key}: there is no ${quoted(issue.keys)}; known are ${known}`;
    }
    if (issue.code === 'unrecognized_keys') return `${key}: there is no ${quoted(issue.keys)}`;
    if (issue.code === 'invalid_key')
      return `${key}: ${issue.issues.map(({ message }) => message).join('; ')}`;
    return `${key}: ${issue.message.replace(/^Invalid (input|option): /, '')}`;
  });
}

function quoted(keys: readonly string[]): string {
  return keys.map((key) => JSON.stringify(key)).join(', ');
}

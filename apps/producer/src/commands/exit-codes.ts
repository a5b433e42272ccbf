import { isEmbedlineError } from '@embedline/core/base';

/** Exit codes of every command; `interrupted` is a run that was cancelled from elsewhere, too. */
export const EXIT = Object.freeze({ done: 0, failed: 1, usage: 2, deadLetters: 3, interrupted: 130 });

/** The exit code of a command that ended with this error. */
export function exitCodeOf(error: unknown): number {
  const codes = ['USAGE', 'CONFIG_INVALID', 'CONFIG_UNTRUSTED'] as const;
  if (codes.some((code) => isEmbedlineError(error, code))) return EXIT.usage;
  return isEmbedlineError(error, 'RUN_CANCELLED') ? EXIT.interrupted : EXIT.failed;
}

import { EmbedlineError, isEmbedlineError, messageOf, redactSecrets } from '@embedline/core/base';
import type { Writable } from 'node:stream';
import { safeJson, safeText } from './safe-text.ts';
import type { Style } from './style.ts';

export interface ErrorOutput {
  readonly json: boolean;
  /** Which one failed, when a command goes through several. */
  readonly pipeline?: string;
  readonly context: {
    readonly stdout: Writable;
    readonly stderr: Writable;
    readonly errorStyle: Style;
  };
}

/** An error on stderr for people and, with --json, on stdout for programs; without secrets and control characters. */
export function printError(error: unknown, { json, pipeline, context }: ErrorOutput): void {
  const { stdout, stderr, errorStyle: style } = context;
  const message = redactSecrets(messageOf(error)).split('\n').map(safeText).join('\n');
  if (json) {
    const code = isEmbedlineError(error) ? error.code : 'INTERNAL';
    stdout.write(`${safeJson({ type: 'error', code, message, pipeline })}\n`);
  }
  stderr.write(`${style.red('error:')} ${message}\n`);
  if (error instanceof EmbedlineError || !(error instanceof Error)) return;
  const stack = redactSecrets(error.stack ?? '')
    .split('\n')
    .map(safeText)
    .join('\n');
  stderr.write(`${style.dim(stack)}\nThis is a bug in embedline.\n`);
}

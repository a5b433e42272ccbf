import type { Writable } from 'node:stream';
import { redactSecrets } from '@embedline/core/base';
import { safeJson, safeText } from '../terminal/safe-text.ts';
import type { Style } from '../terminal/style.ts';

export function printLine(stream: Writable, text: string): void {
  stream.write(`${text}\n`);
}

export function printJson(stream: Writable, value: object): void {
  stream.write(`${safeJson(value)}\n`);
}

/** A line for people on stderr, whatever the command prints on stdout. */
export function notice(
  { errorStyle, stderr }: { readonly errorStyle: Style; readonly stderr: Writable },
  text: string,
): void {
  printLine(stderr, errorStyle.yellow(redactSecrets(text).split('\n').map(safeText).join('\n')));
}

import type { Readable, Writable } from 'node:stream';
import type { Config } from '@embedline/core';
import type { Style } from '../terminal/style.ts';

/** What every command gets: its configuration and its only ways to the outside. */
export interface CommandContext {
  readonly config: Config;
  /** Paths that a person typed are relative to this. */
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** For stdout. */
  readonly style: Style;
  /** For stderr. */
  readonly errorStyle: Style;
  /** Fires when a person wants to stop. */
  readonly signal: AbortSignal;
  /** Told to end at once everything that would outlive this process. */
  onSecondSignal(action: () => void): void;
}

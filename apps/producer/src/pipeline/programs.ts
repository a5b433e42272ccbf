import { EmbedlineError } from '@embedline/core';
import { showCommand, type CommandSource } from '../readers/command-source.ts';
import type { FailureHook } from './failure-hook.ts';

export interface ProgramsOptions {
  /** `--no-commands`: nothing that a configuration brings along is run. Defaults to false. */
  readonly forbidden?: boolean | undefined;
  /** Told of each program before it is run. */
  readonly tell: (text: string) => void;
}

/** The programs that a configuration makes embedline run: each is told of before it is run, or refused. */
export class Programs {
  readonly #forbidden: boolean;
  readonly #tell: (text: string) => void;
  readonly #names = new Set<string>();

  constructor({ forbidden = false, tell }: ProgramsOptions) {
    this.#forbidden = forbidden;
    this.#tell = tell;
  }

  /** Those that were run, or are about to be. */
  get names(): readonly string[] {
    return [...this.#names];
  }

  /** A configuration file that is code. @throws EmbedlineError USAGE */
  allowCode(path: string): void {
    this.#allow(path, `${path} is a program`, 'Write it as embedline.config.json');
  }

  /** The programs that a pipeline reads from. @throws EmbedlineError USAGE */
  allowSources(sources: readonly unknown[]): void {
    for (const source of sources.filter(isCommand)) this.#allowCommand(showCommand(source));
  }

  /** The program that is told of failures. @throws EmbedlineError USAGE */
  allowHook(hook: FailureHook | null | undefined): void {
    if (hook?.command !== undefined) this.#allowCommand(showCommand({ command: hook.command }));
  }

  #allowCommand(name: string): void {
    this.#allow(
      name,
      `The configuration file names a program to run: ${name}`,
      'Read from files or standard input instead',
    );
  }

  #allow(name: string, what: string, remedy: string): void {
    if (this.#forbidden)
      throw new EmbedlineError(
        'USAGE',
        `${what}, and --no-commands forbids that. ${remedy}, or leave out --no-commands.`,
      );
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#tell(`Runs ${name}`);
  }
}

function isCommand(source: unknown): source is CommandSource {
  return (
    typeof source === 'object' && source !== null && 'command' in source && Array.isArray(source.command)
  );
}

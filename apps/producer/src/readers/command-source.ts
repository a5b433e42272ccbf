import { spawn, type ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import { cutText, environmentOfCommands, redactSecrets } from '@embedline/core';
import { FileProblem } from './file-blocks.ts';
import type { SourceFormat } from './read-item.ts';

/** A program whose standard output is read as one file. It is started directly: no shell sees its arguments. */
export interface CommandSource {
  readonly command: readonly string[];
  /** Variables of the environment that it gets besides the usual ones. Defaults to none. */
  readonly environment?: readonly string[] | undefined;
  /** Defaults to the pipeline's format, else jsonl. */
  readonly format?: SourceFormat | undefined;
}

/** What is kept of a program's standard error, for the message when it fails. */
const STDERR_CHARACTERS = 500;

/** How a command is named where a file's path would stand: without what looks like a secret among its arguments. */
export function showCommand({ command }: CommandSource): string {
  const line = [basename(command[0] ?? ''), ...command.slice(1)].join(' ');
  return cutText(`$ ${redactSecrets(line)}`, 200);
}

/**
 * The standard output of a program. It is killed when reading stops early.
 * @throws FileProblem when it cannot be started, ends with a code other than 0, or by a signal: then what it printed may
 * not be all, and nothing may be held to have vanished
 */
export async function* commandBlocks(
  source: CommandSource,
  { cwd, signal }: { readonly cwd: string; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Buffer> {
  signal?.throwIfAborted();
  const [program = '', ...args] = source.command;
  const child = spawn(program, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environmentOfCommands(source.environment ?? []),
  });
  const stderr = rememberEnd(child);
  const ended = waitForEnd(child);
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  try {
    for await (const block of child.stdout as AsyncIterable<Buffer>) yield block;
    const end = await ended;
    signal?.throwIfAborted();
    if (end !== null) throw new FileProblem(`the command ${end}${stderr()}`);
  } finally {
    signal?.removeEventListener('abort', kill);
    kill();
  }
}

/** Null when it ended well, else how it did not. Never rejects. */
function waitForEnd(child: ChildProcess): Promise<string | null> {
  return new Promise((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve(`cannot be run (${error.code ?? error.message})`),
    );
    child.on('close', (code, signal) => {
      if (code === 0) resolve(null);
      else resolve(signal === null ? `ended with code ${String(code)}` : `was ended by ${signal}`);
    });
  });
}

function rememberEnd(child: ChildProcess): () => string {
  let end = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    // Twice of what is shown, so that the cut goes through no secret that is shown.
    end = (end + text).slice(-2 * STDERR_CHARACTERS);
  });
  return () =>
    end.trim() === ''
      ? ''
      : `: ${redactSecrets(end.trim()).slice(-STDERR_CHARACTERS).replaceAll(/\s+/g, ' ')}`;
}

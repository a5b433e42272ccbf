import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecuteOptions, Execution, IngestRequest } from '@embedline/core';
import { z } from 'zod';
import { keepOutput } from './ingest-output.ts';

export interface IngestProcessOptions extends ExecuteOptions {
  /** The configuration file that says what the pipeline is. */
  readonly configPath: string;
  /** The ingest may run no program of the configuration. */
  readonly noCommands: boolean;
  /** Variables that it gets besides those of this process. */
  readonly environment: Readonly<Record<string, string>>;
  /** Worker processes that the ingest brings along; undefined leaves it to the pipeline. */
  readonly workers: number | undefined;
  /** Told every line that the ingest says to people. */
  readonly say: (line: string) => void;
  /** Told what the ingest has done that cannot be taken back. */
  readonly onAudit: (record: Readonly<Record<string, unknown>>) => void;
  /** Told the last lines of an ingest that failed, oldest first. */
  readonly sayLast: (lines: readonly string[]) => void;
}

/** Time that a stopped ingest gets to end in order: a server ends within 20 seconds. */
const KILL_AFTER_MS = 11_000;

/** What the lines of `ingest --json` tell the server. */
const lineSchema = z.looseObject({
  type: z.string(),
  run: z.string().nullish(),
  code: z.string().optional(),
  message: z.string().optional(),
});

/** Runs `embedline ingest NAME` as a process of its own: its reading and chunking keep no lock of the server from being renewed. */
export async function runIngestProcess(
  request: IngestRequest,
  options: IngestProcessOptions,
): Promise<Execution> {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const args = [
    main,
    'ingest',
    request.pipeline,
    '--config',
    options.configPath,
    '--json',
    ...flagsOf(request),
    ...(options.noCommands ? ['--no-commands'] : []),
  ];
  if (options.workers !== undefined) args.push('--workers', String(options.workers));
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C reaches the server, which then stops its ingests in order.
    detached: true,
    env: { ...process.env, ...options.environment },
  });
  const exited = new Promise<number | string | null>((resolve) =>
    child
      .on('close', (code, killedBy) => resolve(code ?? killedBy))
      .on('error', (error) => resolve(error.message)),
  );
  let killTimer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    killTimer = setTimeout(() => killGroup(child), KILL_AFTER_MS);
  };
  if (options.signal.aborted) stop();
  options.signal.addEventListener('abort', stop, { once: true });
  const output = keepOutput(child.stderr, options.say);
  const heard: Heard = { runId: null, code: undefined, message: null, summary: undefined };
  for await (const line of createInterface({ input: child.stdout })) listen(line, heard, options);
  const code = await exited;
  await output.ended;
  options.signal.removeEventListener('abort', stop);
  clearTimeout(killTimer);
  const execution = executionOf(code, heard, output.tail);
  if (execution.outcome === 'failed' && output.tail.length > 0) options.sayLast(output.tail);
  return execution;
}

interface Heard {
  runId: string | null;
  code: string | undefined;
  message: string | null;
  summary: Readonly<Record<string, unknown>> | undefined;
}

/** @param code the exit code, the signal that ended it, or why it could not be started */
function executionOf(code: number | string | null, heard: Heard, tail: readonly string[]): Execution {
  if (heard.code === 'RUN_LOCKED')
    return { outcome: 'locked', message: heard.message ?? 'another ingest runs' };
  const { runId, summary } = heard;
  if (code === 0) return { outcome: 'done', runId, message: null, summary };
  if (code === 3) return { outcome: 'dead-letters', runId, message: null, summary };
  const ending = typeof code === 'number' ? `code ${code}` : String(code);
  const said = tail.length === 0 ? 'it said nothing' : `its last words were: ${tail.slice(-3).join(' | ')}`;
  const message = heard.message ?? `The ingest ended with ${ending}; ${said}`;
  return { outcome: 'failed', runId, message, code: heard.code, summary };
}

function listen(
  line: string,
  heard: Heard,
  { onStarted, onAudit }: Pick<IngestProcessOptions, 'onStarted' | 'onAudit'>,
): void {
  const parsed = lineSchema.safeParse(parseLine(line));
  if (!parsed.success) return;
  const { type, run, code, message } = parsed.data;
  if (type === 'error') {
    heard.code = code;
    heard.message = message ?? null;
    return;
  }
  if (type === 'audit') {
    onAudit(parsed.data);
    return;
  }
  if (type === 'summary') heard.summary = parsed.data;
  if (typeof run === 'string') {
    heard.runId = run;
    onStarted();
  }
}

/** With what it has started, where that is in its process group. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by now.
  }
}

/** Null for a line that a program which the ingest reads from has left there. */
function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** The flags of `embedline ingest` that a request stands for. Options that are not known mean nothing. */
export function flagsOf({ options }: IngestRequest): string[] {
  return [
    ...(options.rebuild === true ? ['--rebuild'] : []),
    ...(options.reuse === false ? ['--no-reuse'] : []),
    ...(options.sweepIncomplete === true ? ['--sweep-incomplete'] : []),
    ...(options.maxDelete === undefined ? [] : ['--max-delete', `${options.maxDelete}%`]),
    ...(options.maxGivenUp === undefined ? [] : ['--max-given-up', `${options.maxGivenUp}%`]),
  ];
}

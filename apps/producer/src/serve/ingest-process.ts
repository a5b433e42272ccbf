import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecuteOptions, Execution, IngestRequest } from '@embedline/core';
import { z } from 'zod';

export interface IngestProcessOptions extends ExecuteOptions {
  /** The configuration file that says what the pipeline is. */
  readonly configPath: string;
  readonly redisUrl: string;
  /** Worker processes that the ingest brings along; undefined leaves it to the pipeline. */
  readonly workers: number | undefined;
}

/** Time that a stopped ingest gets to end in order. */
const KILL_AFTER_MS = 60_000;

/** What the lines of `ingest --json` tell the server. */
const lineSchema = z.object({
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
  ];
  if (options.workers !== undefined) args.push('--workers', String(options.workers));
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    // A process group of its own: Ctrl-C reaches the server, which then stops its ingests in order.
    detached: true,
    env: { ...process.env, REDIS_URL: options.redisUrl },
  });
  const exited = new Promise<number | string | null>((resolve) =>
    child
      .on('close', (code, killedBy) => resolve(code ?? killedBy))
      .on('error', (error) => resolve(error.message)),
  );
  let killTimer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    killTimer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  };
  if (options.signal.aborted) stop();
  options.signal.addEventListener('abort', stop, { once: true });
  const heard = { runId: null as string | null, code: '', message: null as string | null };
  for await (const line of createInterface({ input: child.stdout })) listen(line, heard, options.onStarted);
  const code = await exited;
  options.signal.removeEventListener('abort', stop);
  clearTimeout(killTimer);
  if (heard.code === 'RUN_LOCKED')
    return { outcome: 'locked', message: heard.message ?? 'another ingest runs' };
  const { runId, message } = heard;
  if (code === 0) return { outcome: 'done', runId, message: null };
  if (code === 3) return { outcome: 'dead-letters', runId, message: null };
  return {
    outcome: 'failed',
    runId,
    message: message ?? `the ingest ended without a word (${String(code)})`,
  };
}

function listen(
  line: string,
  heard: { runId: string | null; code: string; message: string | null },
  onStarted: () => void,
): void {
  const parsed = lineSchema.safeParse(parseLine(line));
  if (!parsed.success) return;
  const { type, run, code, message } = parsed.data;
  if (type === 'error') {
    heard.code = code ?? '';
    heard.message = message ?? null;
  } else if (typeof run === 'string') {
    heard.runId = run;
    onStarted();
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

function flagsOf({ options }: IngestRequest): string[] {
  return [
    ...(options.rebuild === true ? ['--rebuild'] : []),
    ...(options.reuse === false ? ['--no-reuse'] : []),
    ...(options.sweepIncomplete === true ? ['--sweep-incomplete'] : []),
    ...(options.maxDelete === undefined ? [] : ['--max-delete', `${options.maxDelete}%`]),
    ...(options.maxGivenUp === undefined ? [] : ['--max-given-up', `${options.maxGivenUp}%`]),
  ];
}

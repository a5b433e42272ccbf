import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import nodeOptions from '@embedline/worker/node-options.json' with { type: 'json' };
import { z } from 'zod';
import {
  EmbedlineError,
  environmentOfWorkers,
  signingEnvironment,
  type Config,
  type RedisLease,
} from '@embedline/core';

/** What a worker says over its channel: see main.ts of the worker. */
const refusalSchema = z.object({ type: z.literal('refusal'), runId: z.string(), reason: z.string() });

export interface LocalWorkersOptions {
  /** The run that they are started for. Workers that cannot serve it end the ingest. */
  readonly runId: string;
  readonly count: number;
  readonly config: Config;
  readonly lease: Pick<RedisLease, 'url' | 'signingKeyFile'>;
  /** Folder in which the run's model was found. */
  readonly modelsDirectory: string;
}

export interface LocalWorkers {
  /** Fires, with the reason, when the workers keep dying or cannot serve the run. */
  readonly signal: AbortSignal;
  /** Lets them finish what they have begun. Idempotent. */
  close(): Promise<void>;
  /** Ends them at once. */
  kill(): void;
}

/** A worker that dies is replaced, but not for ever: something is wrong that a new one will not fix. */
const MAX_REPLACEMENTS = 5;
/** Time for a batch under way when the ingest ends early; what takes longer goes back to the queue. */
const GRACE_SECONDS = 4;
/** Beyond that, a worker has three seconds to hand back what it has. */
const KILL_AFTER_MS = 8_000;

/** Workers for the time of one ingest, as processes of their own with one inference process each. */
export function startLocalWorkers(options: LocalWorkersOptions): LocalWorkers {
  const running = new Set<ChildProcess>();
  const failed = new AbortController();
  let closing = false;
  let closed: Promise<unknown> | null = null;
  let replacements = 0;
  const start = () => {
    const worker = spawnWorker(options);
    const lastMessage = rememberLastMessage(worker);
    running.add(worker);
    worker.on('message', (message) => {
      const refusal = refusalSchema.safeParse(message).data;
      if (refusal?.runId !== options.runId || closing) return;
      failed.abort(new EmbedlineError('WORKER_REFUSED', refusal.reason));
    });
    worker.on('exit', (code, signal) => {
      running.delete(worker);
      if (closing) return;
      replacements += 1;
      const died = signal === null ? `A worker ended with code ${String(code)}` : wasKilled(signal);
      // Codes 1 and 2 say that a worker cannot begin: another one could not either.
      if (code === 1 || code === 2 || replacements > MAX_REPLACEMENTS) {
        failed.abort(
          new EmbedlineError('EMBEDDING_FAILED', `${died}: ${lastMessage() ?? 'it said nothing'}`),
        );
      } else start();
    });
  };
  for (let index = 0; index < options.count; index += 1) start();
  return {
    signal: failed.signal,
    close: async () => {
      closing = true;
      await (closed ??= Promise.all([...running].map(stop)));
    },
    kill: () => {
      closing = true;
      for (const worker of running) worker.kill('SIGKILL');
    },
  };
}

/** With the exit code that a shell would show: 137 for SIGKILL, which is mostly a machine out of memory. */
function wasKilled(signal: NodeJS.Signals): string {
  return `A worker was killed by ${signal} (${128 + constants.signals[signal]})`;
}

function spawnWorker({ config, lease, modelsDirectory }: LocalWorkersOptions): ChildProcess {
  const main = fileURLToPath(import.meta.resolve('@embedline/worker/main'));
  return spawn(
    process.execPath,
    [...nodeOptions, main, '--concurrency', '1', '--grace', String(GRACE_SECONDS)],
    {
      // A process group of its own: Ctrl-C reaches the ingest, which then stops its workers in order.
      detached: true,
      // The channel tells a worker that its ingest was killed, and could stop nothing.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        ...environmentOfWorkers(),
        REDIS_URL: lease.url,
        ...signingEnvironment(config, lease),
        EMBEDLINE_HOME: config.dataDirectory,
        EMBEDLINE_MODELS: modelsDirectory,
        EMBEDLINE_LOG_LEVEL: 'warn',
      },
    },
  );
}

/** The worker's log is for machines; its last message says why it ended. */
function rememberLastMessage(worker: ChildProcess): () => string | null {
  let tail = '';
  worker.stderr?.setEncoding('utf8').on('data', (text: string) => (tail = (tail + text).slice(-8192)));
  return () => {
    const line = tail.trim().split('\n').at(-1) ?? '';
    try {
      return (JSON.parse(line) as { msg?: string }).msg ?? line;
    } catch {
      return line === '' ? null : line;
    }
  };
}

async function stop(worker: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  worker.kill('SIGTERM');
  const timer = setTimeout(() => worker.kill('SIGKILL'), KILL_AFTER_MS);
  await exited;
  clearTimeout(timer);
}

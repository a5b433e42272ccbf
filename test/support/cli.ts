import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inject, onTestFinished } from 'vitest';
import { testPrefix } from './redis.ts';
import { temporaryDirectory, type OnEnd } from './temporary.ts';

const PRODUCER = fileURLToPath(new URL('../../apps/producer/src/main.ts', import.meta.url));
const WORKER = fileURLToPath(new URL('../../apps/worker/src/main.ts', import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of stdout as JSON; throws when one is none. */
  readonly json: readonly Record<string, unknown>[];
}

/** A running program of embedline. */
export interface RunningCli {
  readonly process: ChildProcess;
  readonly result: Promise<CliResult>;
  /** Everything printed so far. */
  output(): string;
}

/** A directory, a prefix in Redis and an environment of one test: what a user's machine is to a user. */
export interface TestBench {
  readonly directory: string;
  readonly prefix: string;
  readonly env: Record<string, string>;
  /** Runs `embedline` to its end. */
  run(args: readonly string[], stdin?: string): Promise<CliResult>;
  start(args: readonly string[], env?: Record<string, string>, cwd?: string): RunningCli;
  /** Any other program, with the same environment. */
  startProgram(program: string, env?: Record<string, string>, args?: readonly string[]): RunningCli;
  startWorker(args?: readonly string[], env?: Record<string, string>): RunningCli;
}

export async function testBench(
  extra: Record<string, string> = {},
  onEnd: OnEnd = onTestFinished,
): Promise<TestBench> {
  const directory = await temporaryDirectory(onEnd);
  const prefix = testPrefix();
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(QDRANT|EMBEDLINE|REDIS)_/.test(name)),
  );
  const env = {
    ...(inherited as Record<string, string>),
    REDIS_URL: inject('redisUrl'),
    EMBEDLINE_PREFIX: prefix,
    EMBEDLINE_HOME: directory,
    NO_COLOR: '1',
    ...extra,
  };
  const start = (
    program: string,
    args: readonly string[],
    more: Record<string, string> = {},
    stdin?: string,
    cwd = directory,
  ) => startProgram(program, args, { env: { ...env, ...more }, cwd, stdin, onEnd });
  return {
    directory,
    prefix,
    env,
    run: (args, stdin) => start(PRODUCER, args, {}, stdin).result,
    start: (args, more, cwd) => start(PRODUCER, args, more, undefined, cwd),
    startProgram: (program, more, args = []) => start(program, args, more),
    startWorker: (args = ['--concurrency', '1'], more = {}) => start(WORKER, args, more),
  };
}

interface Surroundings {
  readonly env: Record<string, string>;
  readonly cwd: string;
  readonly stdin: string | undefined;
  readonly onEnd: OnEnd;
}

function startProgram(
  program: string,
  args: readonly string[],
  { env, cwd, stdin, onEnd }: Surroundings,
): RunningCli {
  const child = spawn(process.execPath, [program, ...args], { cwd, env, stdio: 'pipe' });
  onEnd(() => void child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin ?? '');
  const result = new Promise<CliResult>((resolve) => {
    child.on('close', (code) =>
      resolve({
        code,
        stdout,
        stderr,
        get json() {
          return stdout
            .trim()
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line) as Record<string, unknown>);
        },
      }),
    );
  });
  return { process: child, result, output: () => stdout + stderr };
}

/** JSON lines of records. */
export function jsonl(records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

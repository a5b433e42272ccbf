import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const PACED_WORKER = fileURLToPath(new URL('../support/paced-worker.ts', import.meta.url));

export interface FleetWorker {
  readonly process: ChildProcess;
  /** Resolves with the exit code, or null after a signal. */
  readonly exited: Promise<number | null>;
  /** False until it is ready, and while it is stopped or about to end: faults take one that works. */
  busy: boolean;
}

/** Real worker processes; one that ends is replaced, as an orchestrator would. */
export class WorkerFleet {
  readonly #env: NodeJS.ProcessEnv;
  readonly #workers = new Set<FleetWorker>();
  readonly #lineTimesMs: number[] = [];
  readonly #tail: string[] = [];
  #closed = false;

  constructor(size: number, env: NodeJS.ProcessEnv) {
    this.#env = env;
    for (let index = 0; index < size; index += 1) this.#start();
  }

  /** Workers that work, in no order. */
  get working(): readonly FleetWorker[] {
    return [...this.#workers].filter(({ busy }) => busy);
  }

  /** Most lines that all workers together logged within ten seconds. */
  get mostLinesInTenSeconds(): number {
    const times = this.#lineTimesMs;
    let [first, most] = [0, 0];
    for (let last = 0; last < times.length; last += 1) {
      while ((times[last] ?? 0) - (times[first] ?? 0) > 10_000) first += 1;
      most = Math.max(most, last - first + 1);
    }
    return most;
  }

  /** The end of what they logged, to find out what went wrong. */
  get tail(): string {
    return this.#tail.join('\n');
  }

  async close(): Promise<void> {
    this.#closed = true;
    const exits = [...this.#workers].map(async ({ process: child, exited }) => {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await exited;
    });
    await Promise.all(exits);
  }

  #start(): void {
    const stdio = ['ignore', 'ignore', 'pipe', 'ipc'] as const;
    const child = spawn(process.execPath, [PACED_WORKER], { env: this.#env, stdio: [...stdio] });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('Worker is ready')) worker.busy = true;
      for (const line of text.trimEnd().split('\n')) {
        this.#lineTimesMs.push(Date.now());
        this.#tail.push(line);
        if (this.#tail.length > 40) this.#tail.shift();
      }
    });
    const exited = once(child, 'exit').then(([code]) => code as number | null);
    const worker: FleetWorker = { process: child, exited, busy: false };
    this.#workers.add(worker);
    child.on('exit', () => {
      this.#workers.delete(worker);
      if (!this.#closed) this.#start();
    });
  }
}

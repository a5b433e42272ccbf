import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

export interface CrashLoopOptions {
  readonly program: string;
  readonly args?: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** What each one logs before it has done what it is there for. */
  readonly awaited: RegExp;
  /** Milliseconds that a worker is left alive after that. One that ends by itself is started again at once, too. */
  readonly lifeMs: number;
}

const START_MS = 60_000;
const KEPT_CHARACTERS = 4_000;

/** A worker under `restart: always`: it ends, and is started again at once, until the loop is closed. */
export class CrashLoop {
  readonly #options: CrashLoopOptions;
  readonly #looping: Promise<void>;
  #child: ChildProcess | null = null;
  #closed = false;
  #rounds = 0;
  #output = '';

  constructor(options: CrashLoopOptions) {
    this.#options = options;
    this.#looping = this.#loop();
  }

  /** Workers that have ended after they logged what was awaited. */
  get rounds(): number {
    return this.#rounds;
  }

  /** The end of what they logged. */
  get output(): string {
    return this.#output;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#child?.kill('SIGKILL');
    await this.#looping;
  }

  async #loop(): Promise<void> {
    while (!this.#closed) {
      const child = this.#start();
      const ended = new AbortController();
      const exited = once(child, 'close').then(() => ended.abort());
      const isThere = () => this.#options.awaited.test(this.#output);
      const there = new Promise<void>((resolve) => {
        child.stderr?.on('data', () => isThere() && resolve());
      });
      const pause = (ms: number) => delay(ms, undefined, { signal: ended.signal }).catch(() => undefined);
      await Promise.race([there, pause(START_MS)]);
      await pause(this.#options.lifeMs);
      child.kill('SIGKILL');
      await exited;
      if (isThere()) this.#rounds += 1;
    }
  }

  #start(): ChildProcess {
    const { program, args = [], env } = this.#options;
    const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    this.#output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#output = (this.#output + text).slice(-KEPT_CHARACTERS);
    });
    return child;
  }
}

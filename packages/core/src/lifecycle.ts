import { setTimeout as delay } from 'node:timers/promises';
import { isatty } from 'node:tty';

/** Something that holds a process, a connection or a file, and lets go of it. Idempotent. */
export interface Closeable {
  close(): Promise<void> | void;
}

export interface ReleaseOptions {
  /** What takes longer is left behind, and the next is released. Defaults to 10,000. */
  readonly deadlineMs?: number;
}

/** Long enough for any service that answers; one that does not must not hold a program up. */
const RELEASE_DEADLINE_MS = 10_000;

/**
 * Releases what was acquired, last in first out, each once, whatever the others do, and each within its deadline.
 * The first error is thrown after all were tried.
 */
export class Releasers implements AsyncDisposable {
  readonly #releasers: (() => Promise<void> | void)[] = [];
  #releasing: Promise<void> | null = null;

  add(release: () => Promise<void> | void, { deadlineMs = RELEASE_DEADLINE_MS }: ReleaseOptions = {}): void {
    this.#releasers.push(() => within(deadlineMs, release()));
  }

  /** Registers a resource and hands it back, for use in one expression. */
  own<T extends Closeable>(resource: T, options?: ReleaseOptions): T {
    this.add(() => resource.close(), options);
    return resource;
  }

  /** While it is under way, whoever calls it waits for the same end. */
  release(): Promise<void> {
    this.#releasing ??= this.#releaseAll().finally(() => {
      this.#releasing = null;
    });
    return this.#releasing;
  }

  async #releaseAll(): Promise<void> {
    let firstError: { readonly error: unknown } | null = null;
    for (let release = this.#releasers.pop(); release !== undefined; release = this.#releasers.pop()) {
      try {
        await release();
      } catch (error) {
        firstError ??= { error };
      }
    }
    if (firstError !== null) throw firstError.error;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/** Waits for the work, but no longer than this: the work itself is not ended. A later error of it is dropped. */
export async function within(deadlineMs: number, work: Promise<void> | void): Promise<void> {
  if (work === undefined) return;
  const timeout = new AbortController();
  try {
    const late = delay(deadlineMs, undefined, { signal: timeout.signal }).catch(() => undefined);
    await Promise.race([work, late]);
  } finally {
    timeout.abort();
  }
}

export interface StopSignals extends Disposable {
  /** Fires at the first signal that asks to stop; its reason is the signal's name. */
  readonly signal: AbortSignal;
}

export interface ListenForStopOptions {
  /** Told of a second signal, which asks to end at once. */
  readonly onSecond: (signal: NodeJS.Signals) => void;
  /** Told when the program has not ended {@link deadlineMs} after the first signal. */
  readonly onDeadline?: () => void;
  /** Defaults to 15,000. */
  readonly deadlineMs?: number;
  /** Whether somebody can close the terminal that this program works in. Defaults to what its standard streams are. */
  readonly hasTerminal?: boolean;
}

/**
 * `timeout`, systemd, npm, a launcher and Ctrl-C in a pipe deliver one stop several times, or as SIGTERM and SIGHUP
 * together: what follows the first signal so soon is still the first.
 */
const SAME_STOP_MS = 1_000;
const STOP_DEADLINE_MS = 15_000;

/**
 * Listens for SIGINT, SIGTERM and SIGHUP. The first asks to stop, a second one a second or more later to end at once.
 *
 * SIGHUP says that a terminal has closed: a program that has none on its standard streams (nohup, systemd, cron) goes
 * on. Node makes the choice that nohup leaves to the system, so it is made here. A process that was started with a
 * channel to its parent takes the end of the parent for a SIGHUP that it obeys.
 *
 * SIGPIPE is absent on purpose: writing to a closed pipe is reported by the stream, see output.ts.
 */
export function listenForStop(options: ListenForStopOptions): StopSignals {
  const { onSecond, onDeadline, deadlineMs = STOP_DEADLINE_MS } = options;
  const { hasTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor)) } = options;
  const controller = new AbortController();
  let firstAtMs = 0;
  let deadline: NodeJS.Timeout | undefined;
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (performance.now() - firstAtMs >= SAME_STOP_MS) onSecond(name);
      return;
    }
    firstAtMs = performance.now();
    // It keeps the process alive: with nothing else to wait for, Node would end a program that still waits with exit code 13.
    if (onDeadline !== undefined) deadline = setTimeout(onDeadline, deadlineMs);
    controller.abort(name);
  };
  const hangUp = () => {
    if (hasTerminal) stop('SIGHUP');
  };
  const orphaned = () => {
    if (!controller.signal.aborted) stop('SIGHUP');
  };
  const listeners = { SIGINT: stop, SIGTERM: stop, SIGHUP: hangUp } as const;
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, listeners[name]);
  process.on('disconnect', orphaned);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, listeners[name]);
      process.off('disconnect', orphaned);
      clearTimeout(deadline);
    },
  };
}

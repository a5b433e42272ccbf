/** Something that holds a process, a connection or a file, and lets go of it. Idempotent. */
export interface Closeable {
  close(): Promise<void> | void;
}

/**
 * Releases what was acquired, last in first out, each once, whatever the others do.
 * The first error is thrown after all were tried.
 */
export class Releasers implements AsyncDisposable {
  readonly #releasers: (() => Promise<void> | void)[] = [];
  #releasing: Promise<void> | null = null;

  add(release: () => Promise<void> | void): void {
    this.#releasers.push(release);
  }

  /** Registers a resource and hands it back, for use in one expression. */
  own<T extends Closeable>(resource: T): T {
    this.add(() => resource.close());
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

export interface StopSignals extends Disposable {
  /**
   * Fires at the first SIGINT, SIGTERM or SIGHUP; its reason is the signal's name. A process that was started with a
   * channel to its parent takes the end of the parent for a SIGHUP.
   */
  readonly signal: AbortSignal;
}

/**
 * The first signal asks to stop, a second one ends the process at once (after `onSecond`). SIGPIPE is absent on
 * purpose: writing to a closed pipe is reported by the stream and handled where the output is written.
 */
export function listenForStop(onSecond: () => void): StopSignals {
  const controller = new AbortController();
  const listen = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) onSecond();
    else controller.abort(name);
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, listen);
  const orphaned = () => {
    if (!controller.signal.aborted) listen('SIGHUP');
  };
  process.on('disconnect', orphaned);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, listen);
      process.off('disconnect', orphaned);
    },
  };
}

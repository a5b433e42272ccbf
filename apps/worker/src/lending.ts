/** A place for one user of something. */
export interface Loan<T> {
  /** Opens it, unless it is open. */
  value(): Promise<T>;
  /** Idempotent. */
  release(): void;
}

interface Entry<T> {
  readonly open: () => Promise<T>;
  /** Null until the first user wants it. */
  value: Promise<T> | null;
  users: number;
}

/**
 * Opens what is costly once for all who use it at a time, and closes nothing that somebody uses. What nobody uses is kept
 * for the next one: `maxIdle` of them, the most recently used.
 */
export class Lending<T extends { close(): Promise<void> }> {
  readonly #maxIdle: number;
  /** Idle ones in the order in which they were given back. */
  readonly #entries = new Map<string, Entry<T>>();
  readonly #closing = new Set<Promise<void>>();

  constructor({ maxIdle }: { readonly maxIdle: number }) {
    this.#maxIdle = maxIdle;
  }

  /** Those that are open or lent, by key. */
  get keys(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Keys of what nobody uses, the least recently used first. */
  idle(): readonly string[] {
    return [...this.#entries].filter(([, { users }]) => users === 0).map(([key]) => key);
  }

  /** What fails to open is forgotten, and opened anew for the next one who borrows it. */
  borrow(key: string, open: () => Promise<T>): Loan<T> {
    const entry: Entry<T> = this.#entries.get(key) ?? { open, value: null, users: 0 };
    this.#entries.set(key, entry);
    entry.users += 1;
    let released = false;
    return {
      value: () => (entry.value ??= this.#open(key, entry)),
      release: () => {
        if (released) return;
        released = true;
        entry.users -= 1;
        if (entry.users === 0) this.#giveBack(key, entry);
      },
    };
  }

  /** Closes one that nobody uses; one that is used, or is not open, stays as it is. */
  evict(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.users > 0) return;
    this.#entries.delete(key);
    if (entry.value === null) return;
    const closing = entry.value
      .then(
        (value) => value.close(),
        () => undefined,
      )
      .catch(() => undefined)
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Waits until what was evicted is closed. */
  async settled(): Promise<void> {
    await Promise.all(this.#closing);
  }

  /** Closes everything that nobody uses. */
  async close(): Promise<void> {
    for (const key of this.idle()) this.evict(key);
    await this.settled();
  }

  #open(key: string, entry: Entry<T>): Promise<T> {
    // What is being closed may hold the memory that this one needs.
    const value = this.settled().then(entry.open);
    value.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    return value;
  }

  #giveBack(key: string, entry: Entry<T>): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    if (entry.value === null) return;
    this.#entries.set(key, entry);
    const idle = this.idle();
    for (const old of idle.slice(0, Math.max(0, idle.length - this.#maxIdle))) this.evict(old);
  }
}

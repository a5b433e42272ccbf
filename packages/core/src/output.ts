import type { Writable } from 'node:stream';

/** What became of a stream that a program writes to. */
export interface GuardedOutput {
  /** Fires when the stream takes no more: its reader has gone (EPIPE), its disk is full (ENOSPC), its terminal has closed (EIO). */
  readonly lost: AbortSignal;
  /** Why what was written did not arrive, in words; null when it did, or when its reader did not want any more. */
  readonly failure: string | null;
  /** Resolves when everything written so far has arrived, or never will. */
  flush(): Promise<void>;
}

const MEANINGS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on its device',
  EDQUOT: 'a disk quota is used up',
  EFBIG: 'its file may not grow any larger',
  EIO: 'its device or terminal is gone',
};

const guarded = new WeakMap<Writable, GuardedOutput>();

/**
 * Keeps a stream that fails from ending the program, for good: what is written to it afterwards goes nowhere. Guarding a
 * stream again gives the same answer.
 */
export function guardOutput(stream: Writable): GuardedOutput {
  const known = guarded.get(stream);
  if (known !== undefined) return known;
  const lost = new AbortController();
  let failure: string | null = null;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    const code = error.code ?? error.message;
    // Node's own answer to what is written after the first error.
    if (code === 'ERR_STREAM_DESTROYED' || lost.signal.aborted) return;
    if (code !== 'EPIPE') failure = `${MEANINGS[code] ?? 'it cannot be written'} (${code})`;
    lost.abort(error);
  });
  const output: GuardedOutput = {
    lost: lost.signal,
    get failure() {
      return failure;
    },
    flush: () =>
      new Promise((resolve) => {
        if (lost.signal.aborted || stream.destroyed || stream.writableEnded) resolve();
        else stream.write('', () => setImmediate(resolve));
      }),
  };
  guarded.set(stream, output);
  return output;
}

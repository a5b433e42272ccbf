/** The beginning of a stream of blocks, and the whole stream. */
export interface Peeked {
  /** At least as many bytes as asked for, unless the stream is shorter. */
  readonly head: Buffer;
  /** Every block, those of `head` included. */
  readonly blocks: AsyncGenerator<Buffer>;
  /** Closes a stream that is not read after all. */
  readonly close: () => Promise<void>;
}

/**
 * Reads ahead, so that what a stream is can be told before it is taken apart. An error of the stream comes where it
 * belongs: behind the blocks before it.
 */
export async function peek(source: AsyncIterable<Buffer>, bytes: number): Promise<Peeked> {
  const iterator = source[Symbol.asyncIterator]();
  const first: Buffer[] = [];
  let length = 0;
  let end: { readonly error: unknown } | 'well' | null = null;
  while (length < bytes && end === null) {
    try {
      const next = await iterator.next();
      if (next.done === true) end = 'well';
      else {
        first.push(next.value);
        length += next.value.length;
      }
    } catch (error) {
      end = { error };
    }
  }
  const failure = end === 'well' ? null : end;
  return {
    head: Buffer.concat(first),
    blocks: replay(first, failure, end === null ? iterator : null),
    // A generator that was never asked for a block would not close what it reads from.
    close: async () => void (await iterator.return?.()),
  };
}

async function* replay(
  first: readonly Buffer[],
  failure: { readonly error: unknown } | null,
  iterator: AsyncIterator<Buffer> | null,
): AsyncGenerator<Buffer> {
  try {
    yield* first;
    if (failure !== null) throw failure.error;
    for (;;) {
      const next = await iterator?.next();
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator?.return?.();
  }
}

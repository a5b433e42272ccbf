import type { Readable } from 'node:stream';
import { FileProblem } from './file-blocks.ts';

/** What comes in on standard input. @throws FileProblem when it breaks off */
export async function* stdinBlocks(stdin: Readable, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const abort = () => stdin.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    for await (const block of stdin as AsyncIterable<Buffer | string>) {
      signal?.throwIfAborted();
      yield typeof block === 'string' ? Buffer.from(block) : block;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw new FileProblem('standard input broke off', { cause });
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

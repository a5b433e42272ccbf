import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { messageOf } from '@embedline/core';
import type { ReadLimits } from './read-item.ts';

const BLOCK_BYTES = 256 * 1024;
/** A small file may well shrink to nothing; the ratio says something only beyond this. */
const RATIO_COUNTS_FROM_BYTES = 1024 * 1024;

/** The file as a whole cannot be read to its end: what it holds beyond is not known. */
export class FileProblem extends RangeError {}

export interface BlockOptions {
  readonly gzip: boolean;
  readonly limits: ReadLimits;
  readonly signal?: AbortSignal | undefined;
  /** Told of the bytes of the file itself, before decompression. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * The bytes of a regular file, unpacked if need be. @throws FileProblem when it cannot be opened, is not a regular
 * file, changes while it is read, is no gzip, or unpacks to far more than it should
 */
export async function* fileBlocks(path: string, options: BlockOptions): AsyncGenerator<Buffer> {
  const handle = await openRegular(path);
  try {
    const before = await handle.stat();
    const raw = rawBlocks(handle, options);
    if (options.gzip) yield* unpack(raw, options.limits);
    else yield* raw;
    const after = await handle.stat();
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs)
      throw new FileProblem('the file changed while it was read');
  } finally {
    await handle.close();
  }
}

async function openRegular(path: string): Promise<FileHandle> {
  // NONBLOCK: opening a FIFO would otherwise wait for a writer for ever.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const handle = await open(path, flags).catch((cause: NodeJS.ErrnoException) => {
    throw new FileProblem(`the file cannot be opened (${cause.code ?? messageOf(cause)})`, { cause });
  });
  const isFile = await handle.stat().then((found) => found.isFile());
  if (isFile) return handle;
  await handle.close();
  throw new FileProblem('it is not a regular file');
}

async function* rawBlocks(handle: FileHandle, { signal, onBytes }: BlockOptions): AsyncGenerator<Buffer> {
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead, buffer } = await handle
      .read(Buffer.allocUnsafe(BLOCK_BYTES), 0, BLOCK_BYTES)
      .catch((cause: unknown) => {
        throw new FileProblem(`the file cannot be read (${messageOf(cause)})`, { cause });
      });
    if (bytesRead === 0) return;
    onBytes(bytesRead);
    yield buffer.subarray(0, bytesRead);
  }
}

async function* unpack(blocks: AsyncIterable<Buffer>, { maxGzipRatio }: ReadLimits): AsyncGenerator<Buffer> {
  let packed = 0;
  let unpacked = 0;
  const gunzip = createGunzip();
  const feeding = (async () => {
    for await (const block of blocks) {
      packed += block.length;
      if (!gunzip.write(block))
        await new Promise((resolve) => gunzip.once('drain', resolve).once('close', resolve));
      if (gunzip.destroyed) return;
    }
    gunzip.end();
  })();
  feeding.catch((error: Error) => gunzip.destroy(error));
  try {
    for await (const block of gunzip as AsyncIterable<Buffer>) {
      unpacked += block.length;
      if (unpacked > RATIO_COUNTS_FROM_BYTES && unpacked > packed * maxGzipRatio) {
        throw new FileProblem(`it unpacks to more than ${maxGzipRatio} times its size (--max-gzip-ratio)`);
      }
      yield block;
    }
    await feeding;
  } catch (cause) {
    if (cause instanceof FileProblem || (cause instanceof Error && cause.name === 'AbortError')) throw cause;
    throw new FileProblem(`it is not a complete gzip file (${messageOf(cause)})`, { cause });
  } finally {
    gunzip.destroy();
  }
}

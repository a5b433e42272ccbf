import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { messageOf } from '@embedline/core';
import { peek } from './peek.ts';
import type { ReadLimits } from './read-item.ts';

const BLOCK_BYTES = 256 * 1024;
/** A small file may well shrink to nothing; the ratio says something only beyond this. */
const RATIO_COUNTS_FROM_BYTES = 1024 * 1024;

/** The file as a whole cannot be read to its end: what it holds beyond is not known. */
export class FileProblem extends RangeError {}

export interface BlockOptions {
  /** By its name. Without one, what begins as gzip does is unpacked all the same. */
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
    let read = 0;
    const onBytes = (bytes: number) => {
      read += bytes;
      options.onBytes(bytes);
    };
    const raw = rawBlocks(handle, { ...options, onBytes });
    if (options.gzip) yield* unpack(raw, options);
    else yield* unpackIfGzip(raw, options);
    const after = await handle.stat();
    // What /proc makes up while it is read has no size; the bytes that came tell of it.
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs || read !== after.size)
      throw new FileProblem('the file changed while it was read');
  } finally {
    await handle.close();
  }
}

/** The bytes of a small regular file that lies beside another. @throws FileProblem also when it is too long */
export async function readSmallFile(path: string, maxBytes: number): Promise<Buffer | null> {
  const handle = await openRegular(path).catch((error: unknown) => {
    const cause = error instanceof FileProblem ? error.cause : null;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw error;
  });
  if (handle === null) return null;
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) throw new FileProblem(`it is ${size} bytes long, more than the ${maxBytes} allowed`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

async function openRegular(path: string): Promise<FileHandle> {
  // NONBLOCK: opening a FIFO would otherwise wait for a writer for ever.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const handle = await open(path, flags).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ELOOP') throw new FileProblem('it is a link', { cause });
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

/** Two bytes that no text begins with, and the only method there is. */
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b, 0x08]);

/** What a stream says, unpacked if it begins as gzip does, whatever it is called. @throws FileProblem */
export async function* unpackIfGzip(
  source: AsyncIterable<Buffer>,
  options: Pick<BlockOptions, 'limits' | 'signal'>,
): AsyncGenerator<Buffer> {
  const { head, blocks } = await peek(source, GZIP_MAGIC.length);
  yield* head.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC) ? unpack(blocks, options) : blocks;
}

async function* unpack(
  blocks: AsyncIterable<Buffer>,
  { limits: { maxGzipRatio }, signal }: Pick<BlockOptions, 'limits' | 'signal'>,
): AsyncGenerator<Buffer> {
  let packed = 0;
  let unpacked = 0;
  let lastNonZero = -1;
  let ended = false;
  const gunzip = createGunzip().once('end', () => (ended = true));
  const feeding = (async () => {
    for await (const block of blocks) {
      const nonZero = block.findLastIndex((byte) => byte !== 0);
      if (nonZero !== -1) lastNonZero = packed + nonZero;
      packed += block.length;
      if (ended) continue;
      if (!gunzip.write(block))
        await new Promise((resolve) => gunzip.once('drain', resolve).once('close', resolve));
      if (gunzip.destroyed && !ended) return;
    }
    if (!ended) gunzip.end();
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
    // Zeros may pad the end, and the unpacker stops at the first: what follows them it passes over in silence.
    if (lastNonZero >= gunzip.bytesWritten)
      throw new FileProblem('something follows the end of the gzip data');
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof FileProblem) throw cause;
    throw new FileProblem(`it is not a complete gzip file (${messageOf(cause)})`, { cause });
  } finally {
    gunzip.destroy();
  }
}

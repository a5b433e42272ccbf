import { createHash, randomUUID, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { HubAccess } from './hub-access.ts';
import type { HubFile } from './hub-listing.ts';

/** A download that stands still for so long is given up. */
const STALL_TIMEOUT_MS = 60_000;

/**
 * Downloads a file of the hub. It appears at its place in one step, when its size and hash are right.
 * @throws Error that says what went wrong
 */
export async function download(url: string, target: string, file: HubFile, hub: HubAccess): Promise<void> {
  const response = await hub.get(url);
  if (response.body === null) throw new Error('the answer is empty');
  await mkdir(dirname(target), { recursive: true });
  const draft = `${target}.${randomUUID()}.part`;
  try {
    const hash = hashFor(file);
    const received = checked(response.body, file.size, hash);
    await pipeline(received, createWriteStream(draft));
    const hex = hash.digest('hex');
    if (hex !== file.digest.hex)
      throw new Error(`its ${file.digest.algorithm} is ${hex}, not ${file.digest.hex}, which the hub lists`);
    await rename(draft, target);
  } finally {
    await rm(draft, { force: true });
  }
}

function hashFor({ size, digest }: HubFile): Hash {
  return digest.algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

async function* checked(
  body: ReadableStream<Uint8Array>,
  size: number,
  hash: Hash,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let received = 0;
  try {
    for (;;) {
      const { done, value } = await unlessStalled(reader.read());
      if (done) break;
      received += value.length;
      if (received > size) break;
      hash.update(value);
      yield value;
    }
    if (received !== size)
      throw new Error(
        `it has ${received > size ? 'more than ' : ''}${Math.min(received, size)} bytes, not ${size}`,
      );
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function unlessStalled<T>(reading: Promise<T>): Promise<T> {
  const stalled = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => stalled.reject(new Error(`nothing came for ${STALL_TIMEOUT_MS / 1000} s`)),
    STALL_TIMEOUT_MS,
  );
  try {
    return await Promise.race([reading, stalled.promise]);
  } finally {
    clearTimeout(timer);
  }
}

import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import { checkStateFolder, isPrivate } from '../state/state-folder.ts';
import { readPrivateFile, writePrivateFile } from '../state/private-file.ts';
import { probeRedis } from './probe.ts';

/** Where a private Redis answers: at a socket in a folder that is the user's alone. */
export interface ServerAddress {
  /** Absolute path. */
  readonly socket: string;
  readonly password: string;
}

const STATE_FILE = 'server.json';
const MAX_STATE_BYTES = 4096;
/** What the socket address of macOS has room for, without the byte that ends it; Linux has room for 107. */
const MAX_SOCKET_PATH_BYTES = 103;

const passwordSchema = z.string().regex(/^[0-9a-f]{48}$/);
const addressSchema = z.object({
  socket: z
    .string()
    .refine(
      (path) => isAbsolute(path) && !path.includes('\0') && Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES,
    ),
  password: passwordSchema,
});
/** As versions before 0.2 wrote it. */
const portSchema = z.strictObject({ port: z.int().min(1).max(65_535), password: passwordSchema });

/** The file that says where the server of a folder answers. */
export function addressFile(folder: string): string {
  return join(folder, STATE_FILE);
}

/** @returns a URL that means this socket and this password, whatever characters they have */
export function serverUrl({ socket, password }: ServerAddress): string {
  const path = socket.split('/').map(encodeURIComponent).join('/');
  return `unix://:${encodeURIComponent(password)}@${path}`;
}

/** A socket in the folder of the data, or in a new one for temporary files where that path is too long, and a new password. */
export async function newAddress(folder: string): Promise<ServerAddress> {
  const password = randomBytes(24).toString('hex');
  const beside = join(folder, 'redis.sock');
  if (Buffer.byteLength(beside) <= MAX_SOCKET_PATH_BYTES) return { socket: beside, password };
  const short = Buffer.byteLength(tmpdir()) > 64 ? '/tmp' : tmpdir();
  return { socket: join(await mkdtemp(join(short, 'embedline-')), 'redis.sock'), password };
}

export async function writeAddress(folder: string, address: ServerAddress): Promise<void> {
  await writePrivateFile(addressFile(folder), JSON.stringify(address));
}

/**
 * The server that the folder's file names, if it is there and answers to the password. Only a socket of this user in a
 * folder of this user alone is ever spoken to, whatever the file says.
 * @throws EmbedlineError STATE_UNSAFE; REDIS_UNSUITABLE when an earlier version's server still runs on the same data
 */
export async function findRunning(folder: string): Promise<ServerAddress | null> {
  const stored = parseOrNull(await readPrivateFile(addressFile(folder), MAX_STATE_BYTES).catch(nullIfLong));
  const address = addressSchema.safeParse(stored);
  if (!address.success) {
    await assertNoEarlierServer(portSchema.safeParse(stored).data, folder);
    return null;
  }
  if (!isOwnSocket(address.data.socket)) return null;
  return (await answers(serverUrl(address.data))) ? address.data : null;
}

/** Two servers on one append-only file would destroy it. */
async function assertNoEarlierServer(
  server: z.infer<typeof portSchema> | undefined,
  folder: string,
): Promise<void> {
  if (server === undefined || !(await answers(`redis://:${server.password}@127.0.0.1:${server.port}`)))
    return;
  throw new EmbedlineError(
    'REDIS_UNSUITABLE',
    `The private Redis of an earlier version of embedline still runs on ${folder}. End the embedline commands that use it ` +
      `(it ends with the last of them), and try again.`,
    { retryable: true },
  );
}

function isOwnSocket(socket: string): boolean {
  const stats = lstatSync(socket, { throwIfNoEntry: false });
  const folder = lstatSync(dirname(socket), { throwIfNoEntry: false });
  if (stats?.isSocket() !== true || folder === undefined || !isPrivate(folder)) return false;
  return checkStateFolder(dirname(socket)) && stats.uid === (process.getuid?.() ?? stats.uid);
}

function answers(url: string): Promise<boolean> {
  return probeRedis(url).then(
    () => true,
    () => false,
  );
}

function nullIfLong(error: unknown): null {
  if (error instanceof EmbedlineError) throw error;
  return null;
}

function parseOrNull(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return null;
  }
}

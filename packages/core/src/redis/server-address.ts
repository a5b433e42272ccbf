import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { connect } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import { newerVersion } from '../format-version.ts';
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
/** Of the format of the file; see docs/formats.md. Files that say none are of version 1. */
const ADDRESS_VERSION = 1;

const addressSchema = z.looseObject({
  socket: z
    .string()
    .refine(
      (path) => isAbsolute(path) && !path.includes('\0') && Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES,
    ),
  password: passwordSchema,
});
/** Exactly as versions before 0.2 wrote it: a password is sent to what it names. */
const portSchema = z.strictObject({ port: z.int().min(1).max(65_535), password: passwordSchema });

/** The file that says where the server of a folder answers. */
export function addressFile(folder: string): string {
  return join(folder, STATE_FILE);
}

function socketIn(folder: string): string {
  return join(folder, 'redis.sock');
}

/** @returns a URL that means this socket and this password, whatever characters they have */
export function serverUrl({ socket, password }: ServerAddress): string {
  const path = socket.split('/').map(encodeURIComponent).join('/');
  return `unix://:${encodeURIComponent(password)}@${path}`;
}

/** A socket in the folder of the data, or in a new one for temporary files where that path is too long, and a new password. */
export async function newAddress(folder: string): Promise<ServerAddress> {
  const password = randomBytes(24).toString('hex');
  const beside = socketIn(folder);
  if (Buffer.byteLength(beside) <= MAX_SOCKET_PATH_BYTES) return { socket: beside, password };
  const short = Buffer.byteLength(tmpdir()) > 64 ? '/tmp' : tmpdir();
  return { socket: join(await mkdtemp(join(short, 'embedline-')), 'redis.sock'), password };
}

export async function writeAddress(folder: string, address: ServerAddress): Promise<void> {
  await writePrivateFile(addressFile(folder), JSON.stringify({ version: ADDRESS_VERSION, ...address }));
}

/**
 * The server that the folder's file names, if it is there and answers to the password. Only a socket of this user in a
 * folder of this user alone is ever spoken to, whatever the file says.
 * @throws EmbedlineError STATE_UNSAFE; VERSION_UNSUPPORTED for a newer version's file; REDIS_UNSUITABLE when a server still
 * runs on the same data that is an earlier version's, or whose file is damaged
 */
export async function findRunning(folder: string): Promise<ServerAddress | null> {
  const text = await readPrivateFile(addressFile(folder), MAX_STATE_BYTES).catch(nullIfLong);
  const stored = parseOrNull(text);
  if (newerVersion(stored, ADDRESS_VERSION) !== null) throw ofNewerVersion(folder);
  const address = addressSchema.safeParse(stored);
  if (!address.success) {
    await assertNoEarlierServer(portSchema.safeParse(stored).data, folder);
    if (text !== null) await assertNobodyListens(folder);
    return null;
  }
  const { socket, password } = address.data;
  if (!isOwnSocket(socket)) return null;
  return (await answers(serverUrl({ socket, password }))) ? { socket, password } : null;
}

function ofNewerVersion(folder: string): EmbedlineError {
  return new EmbedlineError(
    'VERSION_UNSUPPORTED',
    `The private Redis in ${folder} was last used by a newer version of embedline, which may still run it. Update embedline on this ` +
      `machine; to go back to this version for good, end all embedline commands and remove ${addressFile(folder)}.`,
  );
}

/** Nobody knows the password of a server whose file is damaged; a second server would destroy its data. */
async function assertNobodyListens(folder: string): Promise<void> {
  const socket = socketIn(folder);
  if (!isOwnSocket(socket) || !(await accepts(socket))) return;
  throw new EmbedlineError(
    'REDIS_UNSUITABLE',
    `A private Redis runs on ${folder}, but ${addressFile(folder)}, which says how to reach it, is damaged. End the embedline ` +
      `commands that use it (it ends some seconds after the last of them), and try again.`,
    { retryable: true },
  );
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
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

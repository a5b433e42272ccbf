import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { assertOwnFile, makePrivate } from './state-folder.ts';

/** Windows knows neither. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NON_BLOCKING = constants.O_NONBLOCK ?? 0;

/** Far above what embedline writes. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The text of a file of state; null when it is not there. The folder must have been checked before.
 * @throws EmbedlineError STATE_UNSAFE for a link, for what is no file, and for what others own or may write
 * @throws Error when it is longer than `maxBytes`, or cannot be read
 */
export async function readPrivateFile(file: string, maxBytes: number = MAX_BYTES): Promise<string | null> {
  if (assertOwnFile(file) === null) return null;
  // A pipe that was put there since would be waited for.
  const handle = await open(file, constants.O_RDONLY | NO_FOLLOW | NON_BLOCKING);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error(`${file} is not a file`);
    if (stats.size > maxBytes) throw new Error(`${file} is longer than ${maxBytes} bytes`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a file of state whole or not at all, with mode 0600. It is written under a new name first, so that nothing is
 * ever written through a link or into a file that others hold open.
 */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  const draft = join(dirname(file), `.${basename(file)}.${process.pid}.${randomBytes(6).toString('hex')}`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
  const handle = await open(draft, flags, 0o600);
  try {
    await handle.writeFile(text);
    await handle.close();
    await rename(draft, file);
  } catch (error) {
    await handle.close();
    await rm(draft, { force: true });
    throw error;
  }
}

/** What SQLite keeps beside a database. It follows links there, and gives new ones the mode of the database. */
const COMPANIONS = ['', '-wal', '-shm', '-journal'] as const;

/**
 * Makes sure that a database and what SQLite keeps beside it are this user's own files and no links, and that nobody else
 * may read them.
 * @param options.create makes an empty file when it is absent
 * @throws EmbedlineError STATE_UNSAFE
 */
export function openPrivateDatabase(file: string, { create }: { readonly create: boolean }): void {
  for (const companion of COMPANIONS) {
    const stats = assertOwnFile(`${file}${companion}`);
    if (stats !== null) makePrivate(`${file}${companion}`, stats);
    else if (companion === '' && create) createPrivateFile(file);
  }
}

/** Another process may have made it by now, in the same way. */
function createPrivateFile(file: string): void {
  try {
    closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW, 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    assertOwnFile(file);
  }
}

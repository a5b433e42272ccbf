import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join, parse } from 'node:path';
import { assertOwnFile, openStateFolder } from './state-folder.ts';

/** Windows knows it not. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;

export interface AppendFile {
  /** The folder of state, in which the file is. */
  readonly home: string;
  /** E.g. `audit.jsonl`. */
  readonly name: string;
  /** A file that is longer gets another name, and a new one begins. */
  readonly maxBytes: number;
  /** Of those that got another name; the oldest goes. */
  readonly maxOlder: number;
}

/**
 * Adds one line to a file of state, with mode 0600, in one write: lines of several processes do not mix.
 * @throws EmbedlineError STATE_UNSAFE, STATE_UNUSABLE
 * @throws Error when it cannot be written
 */
export function appendLine({ home, name, maxBytes, maxOlder }: AppendFile, line: string): void {
  const folder = openStateFolder(home);
  const path = join(folder, name);
  assertOwnFile(path);
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | NO_FOLLOW;
  const file = openSync(path, flags, 0o600);
  try {
    const bytes = Buffer.from(`${line}\n`);
    const written = writeSync(file, bytes);
    if (written !== bytes.length)
      throw new Error(`only ${written} of ${bytes.length} bytes of a line were written`);
    if (fstatSync(file).size > maxBytes) rotate({ folder, name, maxOlder }, fstatSync(file).ino);
  } finally {
    closeSync(file);
  }
}

/** Another process may do so at the same moment: each name is used once, so that no file takes the place of another. */
function rotate(
  { folder, name, maxOlder }: { folder: string; name: string; maxOlder: number },
  inode: number,
): void {
  const path = join(folder, name);
  const { name: stem, ext } = parse(name);
  try {
    if (lstatSync(path).ino !== inode) return;
    const when = new Date().toISOString().replaceAll(/[-:.]/g, '');
    renameSync(path, join(folder, `${stem}-${when}-${randomBytes(3).toString('hex')}${ext}`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return;
  }
  const older = readdirSync(folder).filter((file) => file.startsWith(`${stem}-`) && file.endsWith(ext));
  for (const file of older.sort().slice(0, Math.max(0, older.length - maxOlder)))
    rmSync(join(folder, file), { force: true });
}

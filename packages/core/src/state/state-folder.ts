import { chmodSync, lstatSync, mkdirSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { EmbedlineError, messageOf } from '../errors.ts';
import { LEVELS_OF_USERS, NO_STATE_FOLDER } from './state-location.ts';

/** Windows has no owner and mode that Node could see; a user's folders are the user's alone there. */
const OWN_UID = process.getuid?.() ?? null;
const WRITABLE_BY_OTHERS = 0o022;
const OPEN_TO_OTHERS = 0o077;

/**
 * Makes a folder of state when it is absent, and makes sure that it is this user's alone: no link, this user's, mode
 * 0700. A mode that only let others read is narrowed. Below the user's own base, every folder on the way is held to
 * the same.
 * @throws EmbedlineError STATE_UNSAFE when others own it or may write there; STATE_UNUSABLE when it cannot be made
 */
export function openStateFolder(home: string, ...below: readonly string[]): string {
  if (home === NO_STATE_FOLDER)
    throw new EmbedlineError(
      'STATE_UNUSABLE',
      'HOME is not set, so there is no folder for the state of embedline. Set HOME, XDG_STATE_HOME or EMBEDLINE_HOME to an absolute path.',
    );
  const folder = join(home, ...below);
  for (const level of levelsOf(home, below)) {
    makeFolder(level);
    const stats = assertOwnFolder(level);
    if (stats !== null && OWN_UID !== null && (stats.mode & OPEN_TO_OTHERS) !== 0) narrow(level, stats);
  }
  return folder;
}

/**
 * The same without making or changing anything.
 * @returns false when the folder is not there
 * @throws EmbedlineError STATE_UNSAFE
 */
export function checkStateFolder(home: string, ...below: readonly string[]): boolean {
  return levelsOf(home, below).every((level) => assertOwnFolder(level) !== null);
}

/**
 * Null when nothing is there.
 * @throws EmbedlineError STATE_UNSAFE for a link, for what is no file, and for what others own or may write
 */
export function assertOwnFile(file: string): Stats | null {
  const stats = lstatOf(file);
  if (stats === null) return null;
  if (stats.isSymbolicLink()) throw unsafe(file, 'is a symbolic link', 'Remove it');
  if (!stats.isFile()) throw unsafe(file, 'is not a file', 'Remove it');
  assertOwn(file, stats);
  return stats;
}

/** True for a file or folder that nobody else may even read. */
export function isPrivate({ mode }: Pick<Stats, 'mode'>): boolean {
  return OWN_UID === null || (mode & OPEN_TO_OTHERS) === 0;
}

/** Narrows the mode of a file that others may read. */
export function makePrivate(file: string, stats: Stats): void {
  if (!isPrivate(stats)) narrow(file, stats);
}

/** On a read-only disk it stays as it is: others may read there, but not write. */
function narrow(path: string, { mode }: Stats): void {
  try {
    chmodSync(path, mode & 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error;
  }
}

function levelsOf(home: string, below: readonly string[]): string[] {
  const levels = [home];
  if (LEVELS_OF_USERS.test(home)) levels.unshift(dirname(dirname(home)), dirname(home));
  for (const name of below) levels.push(join(levels.at(-1) ?? home, name));
  return levels;
}

function makeFolder(folder: string): void {
  try {
    makeMissing(folder);
  } catch (cause) {
    // What is there and is no folder, or is a link to nothing, is told more exactly.
    assertOwnFolder(folder);
    throw new EmbedlineError(
      'STATE_UNUSABLE',
      `The folder ${folder}, in which embedline keeps its state, cannot be made: ${messageOf(cause)}. Set EMBEDLINE_HOME (or ` +
        `XDG_STATE_HOME, or HOME) to a folder that you may write.`,
      { cause },
    );
  }
}

/** Not by mkdir's own `recursive`, which never ends where a file system lets nobody make a folder, as /proc. */
function makeMissing(folder: string): void {
  const parent = dirname(folder);
  if (parent !== folder && lstatOf(parent) === null) makeMissing(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function assertOwnFolder(folder: string): Stats | null {
  const stats = lstatOf(folder);
  if (stats === null) return null;
  if (stats.isSymbolicLink())
    throw unsafe(folder, 'is a symbolic link', 'Name the folder that it leads to in EMBEDLINE_HOME');
  if (!stats.isDirectory()) throw unsafe(folder, 'is not a folder', 'Name a folder in EMBEDLINE_HOME');
  assertOwn(folder, stats);
  return stats;
}

function assertOwn(path: string, { uid, mode }: Stats): void {
  if (OWN_UID === null) return;
  if (uid !== OWN_UID) {
    const remedy = 'Set EMBEDLINE_HOME to a folder of your own, which may be a new one inside it';
    throw unsafe(path, `belongs to another user (${uid}; you are ${OWN_UID})`, remedy);
  }
  if ((mode & WRITABLE_BY_OTHERS) === 0) return;
  const bits = (mode & 0o7777).toString(8).padStart(4, '0');
  const remedy = `If you trust what is in it: chmod -R go= '${path.replaceAll("'", `'\\''`)}'`;
  throw unsafe(path, `may be written by other users (mode ${bits})`, remedy);
}

function unsafe(path: string, what: string, remedy: string): EmbedlineError {
  return new EmbedlineError(
    'STATE_UNSAFE',
    `${path} ${what}, so embedline does not keep its state there, and has read nothing from it. ${remedy}.`,
  );
}

function lstatOf(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new EmbedlineError(
      'STATE_UNUSABLE',
      `${path} cannot be looked at: ${messageOf(error)}. Set EMBEDLINE_HOME to a folder that you may read and write.`,
      { cause: error },
    );
  }
}

import type { DatabaseSync } from 'node:sqlite';
import { EmbedlineError } from '../../errors.ts';

/**
 * The version of the store's files, in `PRAGMA user_version`. It rises when a program of the version before could not
 * read or write them rightly; a column or table that such a program may leave alone does not raise it.
 *
 * 0: embedline 0.1.0, which wrote no version; the tables are those of 1
 * 1: this one
 */
export const SQLITE_FILE_VERSION = 1;

/** What makes a file of one version one of the next; the first is from 0 to 1. */
const MIGRATIONS: readonly string[] = [''];

/** @throws EmbedlineError VERSION_UNSUPPORTED for a file of a newer version, which is left as it is */
export function assertReadable(database: DatabaseSync, file: string): void {
  const version = versionOf(database);
  if (version <= SQLITE_FILE_VERSION) return;
  throw new EmbedlineError(
    'VERSION_UNSUPPORTED',
    `${file} was written by a newer version of embedline (format ${version}; this one reads up to ${SQLITE_FILE_VERSION}). ` +
      `Nothing was changed. Update embedline on this machine.`,
  );
}

/** Brings a file to this version, step by step, in one transaction. A file of this version is only looked at. */
export function migrate(database: DatabaseSync): void {
  if (versionOf(database) >= SQLITE_FILE_VERSION) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have done it meanwhile.
    for (const step of MIGRATIONS.slice(versionOf(database))) if (step !== '') database.exec(step);
    database.exec(`PRAGMA user_version = ${SQLITE_FILE_VERSION}; COMMIT`);
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
}

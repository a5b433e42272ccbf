import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { openPrivateDatabase } from '../state/private-file.ts';

/**
 * Runs one process at a time through a section. The lock is an SQLite write lock, which the operating system lets go
 * of when its holder dies, however it dies.
 * @param file an SQLite file kept for this purpose alone
 */
export async function withFileMutex<T>(
  file: string,
  section: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  openPrivateDatabase(file, { create: true });
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    for (;;) {
      try {
        database.exec('BEGIN EXCLUSIVE');
        break;
      } catch (error) {
        const busy = 5; // SQLITE_BUSY
        if ((error as { errcode?: number }).errcode !== busy) throw error;
        await delay(20 + Math.random() * 30, undefined, signal === undefined ? {} : { signal });
      }
    }
    return await section();
  } finally {
    database.close();
  }
}

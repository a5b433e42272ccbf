import { hash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

export type TemporaryDatabase = DatabaseSync;

/**
 * A database that lives in memory while it is small and on disk beyond; its file is gone when the process ends, however
 * it ends. With a smaller cache, the millionth document costs twice what the first one does (test/bench/scale.ts).
 */
export function temporaryDatabase(schema: string): TemporaryDatabase {
  const database = new DatabaseSync('');
  database.exec(`
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -24576;
    ${schema};
    BEGIN;`);
  return database;
}

/** 128 bits of SHA-256: ids may be long, and keys of one size keep the tree small. */
export function keyOf(documentId: string): Uint8Array {
  return hash('sha256', documentId, 'buffer').subarray(0, 16);
}

import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { getLoadablePath } from 'sqlite-vec';
import { EmbedlineError } from '../../errors.ts';
import { openPrivateDatabase } from '../../state/private-file.ts';
import { assertReadable } from './file-version.ts';
import { parseGenerationName } from '../generation-name.ts';

/** SQLite before this can corrupt a WAL database with several writers (sqlite.org/wal.html, "WAL-reset bug"). */
const MIN_SQLITE = [3, 51, 3];
/** So long a call waits for its turn among all processes before the file counts as locked. */
const BUSY_DEADLINE_MS = 15_000;

export interface OpenDatabaseOptions {
  /** Make the file when it is absent. Defaults to false: a reader must never leave an empty file behind. */
  readonly create?: boolean;
  /** Load the vector functions; a failure is told here, and a slower fallback is used. */
  readonly onWarning?: (message: string) => void;
  readonly vectors?: boolean;
}

/** Opens one file of the store with the pragmas that were measured to be right (WAL, full durability per commit). */
export function openDatabase(file: string, options: OpenDatabaseOptions = {}): DatabaseSync {
  assertSqliteVersion();
  if (options.create !== true && !existsSync(file)) {
    throw new EmbedlineError(
      'COLLECTION_NOT_FOUND',
      `The vector store file ${file} is not there (any more).`,
    );
  }
  return translateErrors(file, () => {
    openPrivateDatabase(file, { create: options.create === true });
    const database = new DatabaseSync(file, { timeout: 10_000, allowExtension: options.vectors === true });
    try {
      assertReadable(database, file);
    } catch (error) {
      database.close();
      throw error;
    }
    // The page size has to come before WAL. Never mmap_size: it is unsafe with several writers.
    database.exec(`
      PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
      PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;`);
    if (options.vectors === true) loadVectorFunctions(database, options.onWarning);
    return database;
  });
}

/** After the schema is there, waiting is asynchronous, in {@link whenFree}: the event loop never blocks on a lock. */
export function waitAsynchronously(database: DatabaseSync): void {
  database.exec('PRAGMA busy_timeout = 0');
}

/**
 * One write transaction, begun at once as a writer.
 * @throws EmbedlineError STORE_BUSY, STORE_FULL, STORE_UNSUITABLE
 */
export function writeTransaction<T>(
  database: DatabaseSync,
  file: string,
  write: () => T,
  signal?: AbortSignal,
): Promise<T> {
  return whenFree(file, () => transact(database, write), signal);
}

/**
 * Waits its turn without blocking the thread. A read waits too: for a process that recovers the log of one that died.
 * @throws EmbedlineError STORE_BUSY after 15 seconds, STORE_FULL, STORE_UNSUITABLE
 */
export async function whenFree<T>(file: string, operation: () => T, signal?: AbortSignal): Promise<T> {
  const deadlineMs = Date.now() + BUSY_DEADLINE_MS;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return translateErrors(file, operation);
    } catch (error) {
      if (!(error instanceof EmbedlineError) || error.code !== 'STORE_BUSY' || Date.now() > deadlineMs)
        throw error;
    }
    await delay(1 + Math.random() * 8, undefined, signal === undefined ? {} : { signal });
  }
}

function transact<T>(database: DatabaseSync, write: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = write();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // After some errors (disk full) SQLite has rolled back by itself.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** The one place that knows SQLite's result codes (sqlite.org/rescode.html). */
export function translateErrors<T>(file: string, operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    const code = (cause as { errcode?: number }).errcode;
    const wrap = (kind: 'STORE_BUSY' | 'STORE_FULL' | 'STORE_UNSUITABLE', text: string, retryable: boolean) =>
      new EmbedlineError(kind, text, { cause, retryable });
    // A whole number that is too large for one of JavaScript: embedline writes none.
    if ((cause as NodeJS.ErrnoException).code === 'ERR_OUT_OF_RANGE')
      throw wrap('STORE_UNSUITABLE', damaged(file), false);
    if (code === undefined) throw cause;
    switch (code & 0xff) {
      case 5: // SQLITE_BUSY
      case 6: // SQLITE_LOCKED
        throw wrap(
          'STORE_BUSY',
          `${file} is locked by another program. Close it there; fewer workers on this machine help, too.`,
          true,
        );
      case 13: // SQLITE_FULL
        throw wrap(
          'STORE_FULL',
          `The disk of ${file} is full. Free some space; work goes on by itself then.`,
          true,
        );
      case 8: // SQLITE_READONLY
      case 14: // SQLITE_CANTOPEN
        throw wrap('STORE_UNSUITABLE', `${file} cannot be written. Check its owner and permissions.`, false);
      case 10: // SQLITE_IOERR
        throw wrap(
          'STORE_FULL',
          `The disk of ${file} fails (${(cause as Error).message}). Check it and its free space.`,
          true,
        );
      case 11: // SQLITE_CORRUPT
      case 26: // SQLITE_NOTADB
        throw wrap('STORE_UNSUITABLE', damaged(file), false);
      case 1: // SQLITE_ERROR: a table or column is missing, or a function was given what it cannot take
      case 18: // SQLITE_TOOBIG
      case 20: // SQLITE_MISMATCH
        throw wrap('STORE_UNSUITABLE', damaged(file), false);
      default:
        throw cause;
    }
  }
}

function damaged(file: string): string {
  return `${file} is damaged. Restore a copy, or ${wayOn(file)}, and ingest again.`;
}

/** Without the file of a generation the rest of the store is still of use; without the catalogue nothing is. */
function wayOn(file: string): string {
  const generation = parseGenerationName(basename(file, '.db'));
  return generation === null
    ? `move ${dirname(file)} away`
    : `drop the collection (embedline collections drop ${generation.collection})`;
}

function assertSqliteVersion(): void {
  const version = process.versions['sqlite'] ?? '0';
  const parts = version.split('.').map(Number);
  const difference =
    MIN_SQLITE.map((wanted, index) => (parts[index] ?? 0) - wanted).find((d) => d !== 0) ?? 0;
  if (difference >= 0) return;
  throw new EmbedlineError(
    'STORE_UNSUITABLE',
    `This Node carries SQLite ${version}, which can damage a file that several processes write. Use Node 24.15 or later.`,
  );
}

function loadVectorFunctions(database: DatabaseSync, onWarning?: (message: string) => void): void {
  try {
    database.loadExtension(getLoadablePath());
  } catch {
    onWarning?.('sqlite-vec cannot be loaded on this machine: searching works, but about half as fast.');
    defineFallbacks(database);
  } finally {
    database.enableLoadExtension(false);
  }
}

function defineFallbacks(database: DatabaseSync): void {
  const deterministic = { deterministic: true };
  database.function('vec_bit', deterministic, (bits) => bits);
  database.function('vec_distance_hamming', deterministic, (a, b) =>
    hamming(a as Uint8Array, b as Uint8Array),
  );
  database.function('vec_distance_cosine', deterministic, (a, b) => {
    const [left, right] = [toVector(a), toVector(b)];
    return 1 - left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0);
  });
}

function hamming(a: Uint8Array, b: Uint8Array): number {
  let distance = 0;
  for (let index = 0; index < a.length; index += 1) {
    for (let bits = (a[index] ?? 0) ^ (b[index] ?? 0); bits !== 0; bits &= bits - 1) distance += 1;
  }
  return distance;
}

/** Float32, little endian; empty for what is not bytes of a vector. The copy is needed: SQLite hands out bytes that may be unaligned. */
export function toVector(bytes: unknown): Float32Array {
  if (!(bytes instanceof Uint8Array) || bytes.length % 4 !== 0) return new Float32Array();
  return new Float32Array(bytes.slice().buffer);
}

export function toBytes(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}

/** One bit per dimension, set where it is positive, least significant first: equal to sqlite-vec's quantisation. */
export function signBits(vector: Float32Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(vector.length / 8));
  for (let index = 0; index < vector.length; index += 1) {
    if ((vector[index] ?? 0) > 0) bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return bits;
}

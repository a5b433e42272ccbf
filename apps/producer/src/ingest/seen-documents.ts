import { hash } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** A vanished or surplus point is one that this says no to. */
export interface SeenDocuments {
  /** Notes a document of one chunk, for now, and where it is. @returns where it was seen before, or null */
  add(documentId: string, place: string): string | null;
  /** Notes how many chunks it has: what lies beyond is surplus. */
  setChunkCount(documentId: string, chunks: number): void;
  /** Notes a document that is there but could not be read: whatever is stored of it stays. */
  protect(documentId: string, place: string): void;
  judge(documentId: string, chunkIndex: number): Verdict;
  /** Documents that were read, a page at a time. @throws Error unless their ids were to be kept */
  read(): Iterable<readonly string[]>;
  close(): void;
}

/**
 * `vanished`: its document was not seen; `surplus`: that has become shorter; `unread`: that is there, but could not be
 * read; else `current`.
 */
export type Verdict = 'current' | 'surplus' | 'vanished' | 'unread';

/** Ids that were counted, each once. */
export interface DistinctIds {
  /** @returns true the first time */
  add(id: string): boolean;
  close(): void;
}

/** Chunk count of a document that could not be read. */
const UNREAD = -1;

/**
 * The documents of one reading, in a temporary SQLite database that lives in memory while it is small and on disk
 * beyond: memory stays bounded for any number of documents, and the file is gone when the process ends, however it ends.
 * @param options.keepIds for {@link SeenDocuments.read}; they take more room than all the rest. Defaults to false
 */
export function createSeenDocuments({ keepIds = false }: { readonly keepIds?: boolean } = {}): SeenDocuments {
  const database = temporaryDatabase(`
    CREATE TABLE seen(document BLOB PRIMARY KEY, chunks INTEGER NOT NULL, place TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE read(document TEXT NOT NULL)`);
  const insert = database.prepare('INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const select = database.prepare('SELECT chunks, place FROM seen WHERE document = ?');
  const update = database.prepare('UPDATE seen SET chunks = ? WHERE document = ?');
  const noteRead = database.prepare('INSERT INTO read VALUES (?)');
  const find = (statement: StatementSync, documentId: string) => {
    const row = statement.get(keyOf(documentId));
    return row === undefined ? null : { chunks: Number(row['chunks']), place: String(row['place']) };
  };
  return {
    add: (documentId, place) => {
      if (insert.run(keyOf(documentId), 1, place).changes === 1) return null;
      return find(select, documentId)?.place ?? place;
    },
    setChunkCount: (documentId, chunks) => {
      if (chunks !== 1) update.run(chunks, keyOf(documentId));
      if (keepIds) noteRead.run(documentId);
    },
    protect: (documentId, place) => void insert.run(keyOf(documentId), UNREAD, place),
    judge: (documentId, chunkIndex) => {
      const found = find(select, documentId);
      if (found === null) return 'vanished';
      if (found.chunks === UNREAD) return 'unread';
      return chunkIndex < found.chunks ? 'current' : 'surplus';
    },
    read: () => {
      if (!keepIds) throw new Error('The ids of the documents that were read were not kept.');
      return pages(database);
    },
    close: () => database.close(),
  };
}

/** Like {@link createSeenDocuments}, in bounded memory. */
export function createDistinctIds(): DistinctIds {
  const database = temporaryDatabase('CREATE TABLE ids(id BLOB PRIMARY KEY) WITHOUT ROWID');
  const insert = database.prepare('INSERT INTO ids VALUES (?) ON CONFLICT DO NOTHING');
  return {
    add: (id) => insert.run(keyOf(id)).changes === 1,
    close: () => database.close(),
  };
}

function temporaryDatabase(schema: string): DatabaseSync {
  const database = new DatabaseSync('');
  database.exec(`
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192;
    ${schema};
    BEGIN;`);
  return database;
}

const PAGE = 1000;

function* pages(database: DatabaseSync): Generator<readonly string[]> {
  const select = database.prepare('SELECT rowid, document FROM read WHERE rowid > ? ORDER BY rowid LIMIT ?');
  for (let after = 0; ;) {
    const rows = select.all(after, PAGE);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map((row) => String(row['document']));
    after = Number(last['rowid']);
  }
}

/** 128 bits of SHA-256: ids may be long, and keys of one size keep the tree small. */
function keyOf(documentId: string): Uint8Array {
  return hash('sha256', documentId, 'buffer').subarray(0, 16);
}

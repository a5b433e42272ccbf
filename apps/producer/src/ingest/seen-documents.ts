import type { Origin } from '@embedline/core';
import { keyOf, temporaryDatabase, type TemporaryDatabase } from './temporary-database.ts';

/** A vanished or surplus point is one that this says no to. */
export interface SeenDocuments {
  /**
   * Notes a document of one chunk, for now, where it is, how many UTF-16 code units its text has, and whether its id was
   * written as a number.
   * @returns where and how it was seen before, or null
   */
  add(documentId: string, origin: Origin, what: SeenText): SeenBefore | null;
  /** Notes how many chunks it has: what lies beyond is surplus. */
  setChunkCount(documentId: string, chunks: number): void;
  /** Notes that a document that was added cannot be used: whatever is stored of it stays. */
  setUnread(documentId: string): void;
  /** Notes a document that is there but could not be read: whatever is stored of it stays. */
  protect(documentId: string, origin: Origin | null): void;
  /** Notes that one more chunk of a document was given up on. */
  giveUp(documentId: string): void;
  judge(documentId: string, chunkIndex: number): Verdict;
  /** What the corpus says of a document, or null when it has none of this id. */
  find(documentId: string): SeenDocument | null;
  /** Documents that were read, a page at a time. @throws Error unless their ids were to be kept */
  read(): Iterable<readonly string[]>;
  close(): void;
}

export interface SeenText {
  /** Of its text, in UTF-16 code units. */
  readonly length: number;
  /** Defaults to false. */
  readonly isNumeric?: boolean;
}

export interface SeenBefore {
  readonly origin: Origin;
  readonly isNumeric: boolean;
}

export interface SeenDocument {
  /** Chunks that it consists of; null when it could not be read. */
  readonly chunks: number | null;
  /** Of its text, in UTF-16 code units. */
  readonly length: number;
  /** Chunks of it that were given up on. */
  readonly givenUp: number;
}

/**
 * `vanished`: its document was not seen; `surplus`: that has become shorter; `held`: that too, but what should take its
 * place was given up on; `unread`: that is there, but could not be read; else `current`.
 */
export type Verdict = 'current' | 'surplus' | 'held' | 'vanished' | 'unread';

/** Ids that were counted, each once. */
export interface DistinctIds {
  /** @returns true the first time */
  add(id: string): boolean;
  close(): void;
}

/** Chunk count of a document that could not be read. */
const UNREAD = -1;
/** Line of a document that is a file of its own. */
const NO_LINE = 0;
/** Where nobody knows the place. */
const UNKNOWN: Origin = { file: 'an unknown place' };

/**
 * The documents of one reading, in a temporary SQLite database that lives in memory while it is small and on disk
 * beyond: memory stays bounded for any number of documents, and the file is gone when the process ends, however it ends.
 * @param options.keepIds for {@link SeenDocuments.read}; they take more room than all the rest. Defaults to false
 */
export function createSeenDocuments({ keepIds = false }: { readonly keepIds?: boolean } = {}): SeenDocuments {
  const database = temporaryDatabase(`
    CREATE TABLE seen(
      document BLOB PRIMARY KEY, chunks INTEGER NOT NULL, file INTEGER NOT NULL, line INTEGER NOT NULL,
      length INTEGER NOT NULL, numeric INTEGER NOT NULL, given_up INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE files(file TEXT NOT NULL);
    CREATE TABLE read(document TEXT NOT NULL)`);
  const insert = database.prepare(
    'INSERT INTO seen(document, chunks, file, line, length, numeric) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const select = database.prepare(
    'SELECT chunks, file, line, length, numeric, given_up FROM seen WHERE document = ?',
  );
  const update = database.prepare('UPDATE seen SET chunks = ? WHERE document = ?');
  const giveUp = database.prepare('UPDATE seen SET given_up = given_up + 1 WHERE document = ?');
  const noteRead = database.prepare('INSERT INTO read VALUES (?)');
  const files = fileNumbers(database);
  const note = (
    documentId: string,
    chunks: number,
    { file, line = NO_LINE }: Origin,
    { length, isNumeric = false }: SeenText,
  ) =>
    insert.run(keyOf(documentId), chunks, files.numberOf(file), line, length, Number(isNumeric)).changes ===
    1;
  const find = (documentId: string): (SeenDocument & Place) | null => {
    const row = select.get(keyOf(documentId));
    return row === undefined ? null : toSeen(row);
  };
  return {
    add: (documentId, origin, what) => {
      if (note(documentId, 1, origin, what)) return null;
      const found = find(documentId);
      if (found === null) return { origin, isNumeric: what.isNumeric === true };
      const file = files.nameOf(found.file);
      const before = found.line === NO_LINE ? { file } : { file, line: found.line };
      return { origin: before, isNumeric: found.isNumeric };
    },
    setChunkCount: (documentId, chunks) => {
      if (chunks !== 1) update.run(chunks, keyOf(documentId));
      if (keepIds) noteRead.run(documentId);
    },
    setUnread: (documentId) => void update.run(UNREAD, keyOf(documentId)),
    protect: (documentId, origin) => void note(documentId, UNREAD, origin ?? UNKNOWN, { length: 0 }),
    giveUp: (documentId) => void giveUp.run(keyOf(documentId)),
    find,
    judge: (documentId, chunkIndex) => {
      const found = find(documentId);
      if (found === null) return 'vanished';
      if (found.chunks === null) return 'unread';
      if (chunkIndex < found.chunks) return 'current';
      return found.givenUp > 0 ? 'held' : 'surplus';
    },
    read: () => {
      if (!keepIds) throw new Error('The ids of the documents that were read were not kept.');
      return pages(database);
    },
    close: () => database.close(),
  };
}

interface Place {
  readonly file: number;
  readonly line: number;
  readonly isNumeric: boolean;
}

function toSeen(row: Record<string, unknown>): SeenDocument & Place {
  const number = (column: string) => Number(row[column]);
  return {
    chunks: number('chunks') === UNREAD ? null : number('chunks'),
    length: number('length'),
    givenUp: number('given_up'),
    file: number('file'),
    line: number('line'),
    isNumeric: number('numeric') === 1,
  };
}

/** Names of files by number, since a row must be small; a corpus is read file after file. */
function fileNumbers(database: TemporaryDatabase) {
  const insert = database.prepare('INSERT INTO files VALUES (?)');
  const select = database.prepare('SELECT file FROM files WHERE rowid = ?');
  let last: { readonly file: string; readonly number: number } | null = null;
  return {
    numberOf: (file: string): number => {
      if (last?.file !== file) last = { file, number: Number(insert.run(file).lastInsertRowid) };
      return last.number;
    },
    nameOf: (number: number): string => String(select.get(number)?.['file']),
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

const PAGE = 1000;

function* pages(database: TemporaryDatabase): Generator<readonly string[]> {
  const select = database.prepare('SELECT rowid, document FROM read WHERE rowid > ? ORDER BY rowid LIMIT ?');
  for (let after = 0; ;) {
    const rows = select.all(after, PAGE);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map((row) => String(row['document']));
    after = Number(last['rowid']);
  }
}

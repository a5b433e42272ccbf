import type { ChunkRecord, GenerationPoints } from '@embedline/core';
import { temporaryDatabase } from './temporary-database.ts';
import { LOOKUP_SIZE } from './vectors-by-text-hash.ts';

/** A chunk that has no point with its text, though its run has ended. */
export interface GivenUpChunkPlace {
  readonly id: string;
  readonly documentId: string;
  /** Hash of the text that its point has instead; null when there is no point. */
  readonly oldTextHash: string | null;
}

/** The chunks that a run waits for, to tell afterwards which of them were given up on. */
export interface AwaitedChunks {
  add(chunks: readonly ChunkRecord[]): void;
  /** Those that were given up on, a page at a time. Asks the store, which knows what a late worker has still written. */
  givenUp(points: GenerationPoints, signal: AbortSignal): AsyncGenerator<readonly GivenUpChunkPlace[]>;
  close(): void;
}

/** In a temporary SQLite database: memory stays bounded for any number of chunks. */
export function createAwaitedChunks(): AwaitedChunks {
  const database = temporaryDatabase(
    'CREATE TABLE awaited(id TEXT NOT NULL, document TEXT NOT NULL, text_hash TEXT NOT NULL)',
  );
  const insert = database.prepare('INSERT INTO awaited VALUES (?, ?, ?)');
  const select = database.prepare('SELECT rowid, * FROM awaited WHERE rowid > ? ORDER BY rowid LIMIT ?');
  return {
    add: (chunks) => {
      for (const { id, documentId, textHash } of chunks) insert.run(id, documentId, textHash);
    },
    async *givenUp(points, signal) {
      for (let after = 0; ;) {
        const rows = select.all(after, LOOKUP_SIZE);
        const last = rows.at(-1);
        if (last === undefined) return;
        after = Number(last['rowid']);
        const stored = await points.fingerprints(
          rows.map((row) => String(row['id'])),
          { signal },
        );
        const page = rows.flatMap((row) => {
          const [id, documentId] = [String(row['id']), String(row['document'])];
          const found = stored.get(id)?.textHash ?? null;
          return found === row['text_hash'] ? [] : [{ id, documentId, oldTextHash: found }];
        });
        if (page.length > 0) yield page;
      }
    },
    close: () => database.close(),
  };
}

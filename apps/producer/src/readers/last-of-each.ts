import { keyOf, temporaryDatabase } from '../ingest/temporary-database.ts';
import type { ReadItem } from './read-item.ts';

export interface LastOfEachOptions {
  readonly onPassedOver: () => void;
  /** Told when the second reading found other documents than the first: then not all of them are known. */
  readonly onChanged: (problem: string) => void;
}

/**
 * Of documents with one id the last one. What is last is known only at the end, so the corpus is read twice: first for
 * the ids, in a temporary database that bounds memory, then for the documents.
 */
export async function* lastOfEach(
  read: () => AsyncIterable<ReadItem>,
  { onPassedOver, onChanged }: LastOfEachOptions,
): AsyncGenerator<ReadItem> {
  const database = temporaryDatabase(
    'CREATE TABLE last(id BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID',
  );
  try {
    const note = database.prepare(
      'INSERT INTO last VALUES (?, ?) ON CONFLICT(id) DO UPDATE SET place = excluded.place',
    );
    const find = database.prepare('SELECT place FROM last WHERE id = ?');
    let count = 0;
    for await (const item of read())
      if (item.type === 'document') note.run(keyOfDocument(item), (count += 1));
    let ids = Number(database.prepare('SELECT count(*) AS ids FROM last').get()?.['ids']);
    let place = 0;
    for await (const item of read()) {
      if (item.type !== 'document') {
        yield item;
        continue;
      }
      place += 1;
      const last = find.get(keyOfDocument(item))?.['place'];
      if (last === undefined || Number(last) === place) {
        ids -= 1;
        yield item;
      } else onPassedOver();
    }
    if (ids !== 0 || place !== count)
      onChanged('the corpus changed while it was read (--on-duplicate last reads it twice)');
  } finally {
    database.close();
  }
}

/** A number and the text that spells it are not the same id: both are read, and one of them is refused later. */
function keyOfDocument({
  document: { id },
  numericId = false,
}: Extract<ReadItem, { type: 'document' }>): Uint8Array {
  return keyOf(`${numericId ? 'number' : 'text'}:${id}`);
}

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EmbedlineError } from '../../errors.ts';
import { generationName } from '../generation-name.ts';
import type { Generation, GenerationManifest } from '../vector-store.ts';
import { migrate } from './file-version.ts';
import { readGeneration, readManifest } from './stored-generation.ts';
import { FilePlace } from './file-place.ts';
import { openDatabase, translateErrors, waitAsynchronously, whenFree, writeTransaction } from './database.ts';

const CATALOGUE_SCHEMA = `
  BEGIN IMMEDIATE;
  CREATE TABLE IF NOT EXISTS generation(
    name TEXT PRIMARY KEY, collection TEXT NOT NULL, number INTEGER NOT NULL, identity TEXT NOT NULL,
    manifest TEXT NOT NULL, UNIQUE(collection, number));
  CREATE TABLE IF NOT EXISTS alias(collection TEXT PRIMARY KEY, name TEXT NOT NULL REFERENCES generation(name));
  CREATE TABLE IF NOT EXISTS last_number(collection TEXT PRIMARY KEY, number INTEGER NOT NULL);
  COMMIT;`;

/** The generations and public names of one directory, in `meta.db`. A row appears only once its file is complete. */
export class Catalogue {
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #place: FilePlace;

  /** @param options.readOnly makes no file: without one the catalogue is empty */
  constructor(directory: string, { readOnly }: { readonly readOnly: boolean }) {
    this.#file = join(directory, 'meta.db');
    const isThere = existsSync(this.#file);
    this.#database =
      readOnly && !isThere ? new DatabaseSync(':memory:') : openDatabase(this.#file, { create: true });
    if (!(readOnly && isThere))
      translateErrors(this.#file, () => {
        this.#database.exec(CATALOGUE_SCHEMA);
        migrate(this.#database);
      });
    waitAsynchronously(this.#database);
    this.#place = new FilePlace(this.#file);
  }

  /** Oldest first. */
  async list(collection?: string): Promise<Generation[]> {
    const rows = await whenFree(this.#file, () =>
      this.#database
        .prepare(
          `SELECT g.collection, g.name, g.number, g.identity, g.manifest, a.name IS NOT NULL AS live
           FROM generation g LEFT JOIN alias a ON a.collection = g.collection AND a.name = g.name
           WHERE ?1 IS NULL OR g.collection = ?1 ORDER BY g.collection, g.number`,
        )
        .all(collection ?? null),
    );
    return rows.map((row) => readGeneration(row, this.#file));
  }

  /** Gives out the next number of a collection; a number is never given out twice, also after its generation went. */
  async nextName(collection: string): Promise<{ name: string; number: number; identity: string }> {
    const number = await this.#write(() => {
      const row = this.#database
        .prepare(
          `INSERT INTO last_number VALUES (?, 1) ON CONFLICT(collection) DO UPDATE SET number = number + 1 RETURNING number`,
        )
        .get(collection);
      return Number(row?.['number']);
    });
    const identity = randomUUID();
    return { name: generationName(collection, number, identity), number, identity };
  }

  async add(generation: Omit<Generation, 'live'>): Promise<void> {
    const { name, collection, number, identity, manifest } = generation;
    await this.#write(() =>
      this.#database
        .prepare(
          'INSERT INTO generation(name, collection, number, identity, manifest) VALUES (?, ?, ?, ?, ?)',
        )
        .run(name, collection, number, identity, JSON.stringify(manifest)),
    );
  }

  async recordPipeline(name: string, pipeline: string, fingerprint: string): Promise<void> {
    await this.#write(() =>
      this.#changeManifest(name, ({ pipelines, ...rest }) => ({
        ...rest,
        pipelines: { ...pipelines, [pipeline]: fingerprint },
      })),
    );
  }

  async publish(generation: Pick<Generation, 'collection' | 'name'>): Promise<void> {
    await this.#write(() => {
      const publishedAt = new Date().toISOString();
      this.#changeManifest(generation.name, (manifest) => ({ publishedAt, ...manifest }));
      this.#database
        .prepare('INSERT INTO alias VALUES (?, ?) ON CONFLICT(collection) DO UPDATE SET name = excluded.name')
        .run(generation.collection, generation.name);
    });
  }

  async remove(name: string): Promise<void> {
    await this.#write(() => {
      this.#database.prepare('DELETE FROM alias WHERE name = ?').run(name);
      this.#database.prepare('DELETE FROM generation WHERE name = ?').run(name);
    });
  }

  close(): void {
    this.#database.close();
  }

  /** Within a transaction. */
  #changeManifest(name: string, change: (manifest: GenerationManifest) => GenerationManifest): void {
    const row = this.#database.prepare('SELECT manifest FROM generation WHERE name = ?').get(name);
    if (row === undefined) throw gone(name);
    const changed = change(readManifest(row['manifest'], name, this.#file));
    this.#database
      .prepare('UPDATE generation SET manifest = ? WHERE name = ?')
      .run(JSON.stringify(changed), name);
  }

  async #write<T>(write: () => T): Promise<T> {
    const result = await writeTransaction(this.#database, this.#file, write);
    this.#place.assertUnmoved();
    return result;
  }
}

function gone(name: string): EmbedlineError {
  return new EmbedlineError('COLLECTION_NOT_FOUND', `Generation ${name} is not in the store any more.`);
}

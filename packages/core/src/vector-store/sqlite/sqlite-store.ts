import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbedlineError } from '../../errors.ts';
import { IMPATIENT, type Patience } from '../../outages.ts';
import { safeText } from '../../safe-text.ts';
import { checkStateFolder, openStateFolder } from '../../state/state-folder.ts';
import { assertCollectionName, parseGenerationName } from '../generation-name.ts';
import type {
  Generation,
  GenerationManifest,
  GenerationPoints,
  ReadOptions,
  VectorStore,
} from '../vector-store.ts';
import { Catalogue } from './catalogue.ts';
import { migrate } from './file-version.ts';
import { openDatabase, translateErrors, waitAsynchronously } from './database.ts';
import { POINT_SCHEMA } from './point-rows.ts';
import { SqlitePoints } from './sqlite-points.ts';

export interface SqliteStoreOptions {
  /** Folder of the files: `meta.db` and one `<generation>.db` each. Made when absent. */
  readonly directory: string;
  readonly onWarning?: (message: string) => void;
  /** Make nothing: a directory that is not there is an empty store. Defaults to false. */
  readonly readOnly?: boolean;
  /** Whether calls wait for files that are locked or have no room. Defaults to {@link IMPATIENT}. */
  readonly patience?: Patience;
}

/** The embedded store: for one machine and a local disk, up to about a million points; no server. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<VectorStore> {
  if (options.readOnly === true) checkStateFolder(options.directory);
  else openStateFolder(options.directory);
  return Promise.resolve(new SqliteStore(options));
}

class SqliteStore implements VectorStore {
  readonly kind = 'sqlite';
  readonly version = process.versions['sqlite'] ?? 'unknown';
  readonly location: string;
  readonly #options: SqliteStoreOptions;
  readonly #catalogue: Catalogue;
  #closed = false;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
    this.location = options.directory;
    this.#catalogue = new Catalogue(options.directory, { readOnly: options.readOnly === true });
  }

  async generations(collection?: string, options: ReadOptions = {}): Promise<readonly Generation[]> {
    this.#assertOpen(options.signal);
    return this.#waitOut(() => this.#catalogue.list(collection), options);
  }

  async createGeneration(
    collection: string,
    manifest: GenerationManifest,
    options: ReadOptions = {},
  ): Promise<Generation> {
    this.#assertOpen(options.signal);
    assertCollectionName(collection);
    await this.#removeLeftovers(collection);
    return this.#waitOut(() => this.#create(collection, manifest), options);
  }

  async #create(collection: string, manifest: GenerationManifest): Promise<Generation> {
    const named = await this.#catalogue.nextName(collection);
    const file = this.#file(named.name);
    const database = openDatabase(file, { create: true });
    try {
      translateErrors(file, () => {
        database.exec(`BEGIN IMMEDIATE; ${POINT_SCHEMA}`);
        database.prepare('INSERT INTO identity VALUES (?)').run(named.identity);
        database.exec('COMMIT');
        migrate(database);
      });
    } finally {
      database.close();
    }
    const generation = { ...named, collection, manifest };
    await this.#catalogue.add(generation);
    return { ...generation, live: false };
  }

  async recordPipeline(generation: Generation, pipeline: string, fingerprint: string): Promise<void> {
    this.#assertOpen();
    await this.#waitOut(() => this.#catalogue.recordPipeline(generation.name, pipeline, fingerprint));
  }

  async publish(generation: Generation, options: ReadOptions = {}): Promise<void> {
    this.#assertOpen(options.signal);
    await this.#waitOut(() => this.#catalogue.publish(generation), options);
  }

  async dropGeneration(generation: Generation, options: ReadOptions = {}): Promise<void> {
    this.#assertOpen(options.signal);
    // Refuses a forged name before anything is changed.
    this.#file(generation.name);
    await this.#waitOut(() => this.#catalogue.remove(generation.name), options);
    await this.#unlink(generation.name);
  }

  async open(
    wanted: Pick<Generation, 'collection' | 'name' | 'identity'>,
    options: ReadOptions = {},
  ): Promise<GenerationPoints> {
    this.#assertOpen(options.signal);
    return this.#waitOut(() => this.#open(wanted), options);
  }

  async #open(wanted: Pick<Generation, 'collection' | 'name' | 'identity'>): Promise<GenerationPoints> {
    const generations = await this.#catalogue.list(wanted.collection);
    const generation = generations.find(({ name }) => name === wanted.name);
    if (generation === undefined) {
      throw new EmbedlineError(
        'COLLECTION_NOT_FOUND',
        `${wanted.name} is not in the SQLite store at ${this.location}. SQLite is for one machine: a worker elsewhere, or with ` +
          `another EMBEDLINE_HOME, has to use Qdrant (QDRANT_URL) for producer and workers alike.`,
      );
    }
    const file = this.#file(generation.name);
    if (!existsSync(file)) {
      throw new EmbedlineError(
        'COLLECTION_NOT_FOUND',
        `The file of ${generation.name} is gone: ${file}. Put it back, or drop what is left of the collection and ingest again: ` +
          `embedline collections drop ${generation.collection} (embedline collections list shows whether one before it is kept, ` +
          `to which rollback leads).`,
      );
    }
    const database = openDatabase(file, { vectors: true, ...this.#warnings() });
    let found: unknown;
    try {
      found = translateErrors(file, () => database.prepare('SELECT value FROM identity').get())?.['value'];
    } catch (error) {
      database.close();
      throw error;
    }
    if (found !== wanted.identity || generation.identity !== wanted.identity) {
      database.close();
      throw new EmbedlineError(
        'STORE_MISMATCH',
        `${wanted.name} in ${this.location} is another than the run's own (identity ${String(found)} instead of ` +
          `${wanted.identity}). Give this process the EMBEDLINE_HOME of the producer, or use Qdrant for both.`,
      );
    }
    if (this.#options.readOnly !== true) translateErrors(file, () => migrate(database));
    waitAsynchronously(database);
    return new SqlitePoints(database, file, generation, this.#patience);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#catalogue.close();
  }

  /** Files of a creation that was cut off before its row was written. Their numbers are spent; nobody can have them open. */
  async #removeLeftovers(collection: string): Promise<void> {
    const known = new Set((await this.#catalogue.list(collection)).map(({ number }) => number));
    const newest = [...known].reduce((most, number) => Math.max(most, number), 0);
    for (const file of await readdir(this.#options.directory)) {
      const parsed = parseGenerationName(file.replace(/\.db$/, ''));
      // One that is newer than all rows may be another process's, being made right now.
      if (parsed?.collection !== collection || known.has(parsed.number) || parsed.number > newest) continue;
      await this.#unlink(file.replace(/\.db$/, ''));
    }
  }

  async #unlink(name: string): Promise<void> {
    for (const suffix of ['', '-wal', '-shm']) await rm(`${this.#file(name)}${suffix}`, { force: true });
  }

  /** @throws EmbedlineError STORE_UNSUITABLE for a name that could lead out of the folder */
  #file(name: string): string {
    if (parseGenerationName(name) === null)
      throw new EmbedlineError(
        'STORE_UNSUITABLE',
        `${JSON.stringify(safeText(name.slice(0, 200)))} is not the name of a generation, so no file of the store has it. Nothing was changed.`,
      );
    return join(this.#options.directory, `${name}.db`);
  }

  get #patience(): Patience {
    return this.#options.patience ?? IMPATIENT;
  }

  #waitOut<T>(operation: () => Promise<T>, { signal }: ReadOptions = {}): Promise<T> {
    return this.#patience.waitOut(operation, signal);
  }

  #warnings() {
    return this.#options.onWarning === undefined ? {} : { onWarning: this.#options.onWarning };
  }

  #assertOpen(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (this.#closed) throw new EmbedlineError('CLOSED', 'The SQLite store was closed.');
  }
}

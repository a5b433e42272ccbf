import { randomUUID } from 'node:crypto';
import type { Schemas } from '@qdrant/js-client-rest';
import { EmbedlineError } from '../../errors.ts';
import { assertCollectionName, generationName, parseGenerationName } from '../generation-name.ts';
import type {
  CreateOptions,
  Generation,
  GenerationManifest,
  GenerationPoints,
  PublishOptions,
  ReadOptions,
  VectorStore,
} from '../vector-store.ts';
import { assertVectors } from './assert-vectors.ts';
import { QdrantConnection, type QdrantConnectionOptions } from './connection.ts';
import { deferIndexing, resumeIndexing } from './deferred-indexing.ts';
import { fromMetadata, pipelineMetadata, publishedMetadata, toMetadata } from './generation-metadata.ts';
import { QdrantPoints } from './qdrant-points.ts';
import { VECTOR_NAME } from './write-bodies.ts';

/** Made before the first write, so that filtered searches and deletions have them from the start (hazards Q16). */
const PAYLOAD_INDEXES = [
  { field_name: 'pipeline', field_schema: 'keyword' },
  { field_name: 'document_id', field_schema: 'keyword' },
  { field_name: 'text_hash', field_schema: 'keyword' },
  { field_name: 'run_sequence', field_schema: 'integer' },
] as const;

/** A creation that is not complete after so long was cut off. */
const LEFTOVER_AFTER_MS = 60 * 60 * 1000;

/**
 * Generations are collections, public names are aliases. @throws EmbedlineError STORE_UNREACHABLE, STORE_UNAUTHORIZED,
 * STORE_UNSUITABLE
 */
export async function openQdrantStore(
  options: QdrantConnectionOptions & { readonly signal?: AbortSignal },
): Promise<VectorStore> {
  const connection = new QdrantConnection(options);
  try {
    await connection.assertServer(options.signal);
  } catch (error) {
    connection.close();
    throw error;
  }
  return new QdrantStore(connection);
}

interface Found {
  readonly generation: Generation;
  readonly complete: boolean;
  readonly info: Schemas['CollectionInfo'];
}

class QdrantStore implements VectorStore {
  readonly kind = 'qdrant';
  readonly #connection: QdrantConnection;

  constructor(connection: QdrantConnection) {
    this.#connection = connection;
  }

  get location(): string {
    return this.#connection.location;
  }

  get version(): string {
    return this.#connection.version;
  }

  async generations(collection?: string, options: ReadOptions = {}): Promise<readonly Generation[]> {
    const found = await this.#find(collection, options);
    return found.filter(({ complete }) => complete).map(({ generation }) => generation);
  }

  async createGeneration(
    collection: string,
    manifest: GenerationManifest,
    options: CreateOptions = {},
  ): Promise<Generation> {
    assertCollectionName(collection);
    await this.#assertNameIsOurs(collection, options);
    const existing = await this.#find(collection, options);
    await this.#dropLeftovers(existing, options);
    const number = existing.reduce((newest, { generation }) => Math.max(newest, generation.number), 0) + 1;
    const identity = randomUUID();
    const generation: Generation = {
      collection,
      number,
      identity,
      manifest,
      live: false,
      name: generationName(collection, number, identity),
    };
    await this.#create(generation, options);
    return generation;
  }

  async recordPipeline({ name }: Generation, pipeline: string, fingerprint: string): Promise<void> {
    const metadata = pipelineMetadata(pipeline, fingerprint);
    await this.#connection.call(`an update of ${name}`, (client) =>
      client.updateCollection(name, { metadata }),
    );
  }

  async publish({ collection, name, manifest }: Generation, options: PublishOptions = {}): Promise<void> {
    const { signal } = options;
    await resumeIndexing(this.#connection, name, options);
    // Noted before: one that readers see must never look unfinished.
    if (manifest.publishedAt === undefined) {
      const metadata = publishedMetadata(new Date().toISOString());
      await this.#connection.call(
        `an update of ${name}`,
        (client) => client.updateCollection(name, { metadata }),
        { signal },
      );
    }
    const aliases = await this.#aliases(signal);
    const create = { create_alias: { alias_name: collection, collection_name: name } };
    const actions = aliases.has(collection)
      ? [{ delete_alias: { alias_name: collection } }, create]
      : [create];
    // One call: readers see the old generation or the new one.
    await this.#connection.call(
      `the publication of ${name}`,
      (client) => client.updateCollectionAliases({ actions }),
      { signal },
    );
  }

  async dropGeneration({ collection, name }: Generation, { signal }: ReadOptions = {}): Promise<void> {
    const aliases = await this.#aliases(signal);
    if (aliases.get(collection) === name) {
      const actions = [{ delete_alias: { alias_name: collection } }];
      await this.#connection.call(
        `the removal of ${collection}`,
        (client) => client.updateCollectionAliases({ actions }),
        { signal },
      );
    }
    // Absent is fine: the server answers false.
    await this.#connection.call(`the removal of ${name}`, (client) => client.deleteCollection(name), {
      signal,
    });
  }

  async open(
    wanted: Pick<Generation, 'collection' | 'name' | 'identity'>,
    options: ReadOptions = {},
  ): Promise<GenerationPoints> {
    const all = await this.#find(wanted.collection, options);
    const found = all.find(({ generation }) => generation.name === wanted.name);
    if (found === undefined || !found.complete) {
      throw new EmbedlineError(
        'COLLECTION_NOT_FOUND',
        `${wanted.name} is not in Qdrant at ${this.location}. Give this process the QDRANT_URL of the producer, or ingest again.`,
      );
    }
    const { generation, info } = found;
    if (generation.identity !== wanted.identity) {
      throw new EmbedlineError(
        'STORE_MISMATCH',
        `${wanted.name} at ${this.location} is another than the run's own (identity ${generation.identity} instead of ` +
          `${wanted.identity}). Give this process the QDRANT_URL of the producer.`,
      );
    }
    assertVectors(generation, info);
    return new QdrantPoints(this.#connection, generation);
  }

  close(): Promise<void> {
    this.#connection.close();
    return Promise.resolve();
  }

  /** Every generation that is there, complete or not, oldest first. */
  async #find(collection: string | undefined, { signal }: ReadOptions): Promise<Found[]> {
    const { collections } = await this.#connection.call(
      'the list of collections',
      (client) => client.getCollections(),
      { signal },
    );
    const aliases = await this.#aliases(signal);
    const names = collections.map(({ name }) => name).filter((name) => isOf(name, collection));
    const found = await Promise.all(names.map((name) => this.#describe(name, aliases, signal)));
    return found
      .filter((one) => one !== null)
      .sort(
        (a, b) =>
          compare(a.generation.collection, b.generation.collection) ||
          a.generation.number - b.generation.number,
      );
  }

  async #describe(
    name: string,
    aliases: ReadonlyMap<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Found | null> {
    try {
      const info = await this.#connection.call(`a look at ${name}`, (client) => client.getCollection(name), {
        signal,
      });
      const described = fromMetadata(info.config.metadata, name);
      if (described === null) return null;
      const { complete, ...rest } = described;
      return { info, complete, generation: { ...rest, name, live: aliases.get(rest.collection) === name } };
    } catch (error) {
      // Dropped since the list was made.
      if (error instanceof EmbedlineError && error.code === 'COLLECTION_NOT_FOUND') return null;
      throw error;
    }
  }

  async #aliases(signal: AbortSignal | undefined): Promise<Map<string, string>> {
    const { aliases } = await this.#connection.call('the list of aliases', (client) => client.getAliases(), {
      signal,
    });
    return new Map(aliases.map(({ alias_name, collection_name }) => [alias_name, collection_name]));
  }

  async #create(generation: Generation, { signal, deferIndexing: defers }: CreateOptions): Promise<void> {
    const { name, manifest } = generation;
    const vectors = { [VECTOR_NAME]: { size: manifest.model.dimensions, distance: 'Cosine' as const } };
    await this.#connection.call(
      `the creation of ${name}`,
      async (client) => {
        // A retry may find the collection that the first attempt made: the name is unique, so it is ours.
        const { exists } = await client.collectionExists(name);
        if (!exists) await client.createCollection(name, { vectors });
        // Some versions of the client leave metadata out of createCollection.
        await client.updateCollection(name, { metadata: toMetadata(generation, false) });
        for (const index of PAYLOAD_INDEXES) await client.createPayloadIndex(name, { ...index, wait: true });
      },
      { signal },
    );
    if (defers === true) await deferIndexing(this.#connection, name, signal);
    await this.#connection.call(
      `the creation of ${name}`,
      (client) => client.updateCollection(name, { metadata: toMetadata(generation, true) }),
      { signal },
    );
  }

  /** A public name is an alias of ours or free; never somebody else's collection. */
  async #assertNameIsOurs(collection: string, { signal }: ReadOptions): Promise<void> {
    const aliases = await this.#aliases(signal);
    const target = aliases.get(collection);
    const { collections } = await this.#connection.call(
      'the list of collections',
      (client) => client.getCollections(),
      { signal },
    );
    const taken = collections.some(({ name }) => name === collection);
    if (!taken && (target === undefined || isOf(target, collection))) return;
    throw new EmbedlineError(
      'COLLECTION_INCOMPATIBLE',
      `Qdrant at ${this.location} has a collection ${collection} that embedline did not make` +
        `${taken ? '' : ` (an alias of ${String(target)})`}. Take another name with --collection, or remove that one.`,
    );
  }

  async #dropLeftovers(existing: readonly Found[], options: ReadOptions): Promise<void> {
    for (const { generation, complete } of existing) {
      const ageMs = Date.now() - Date.parse(generation.manifest.createdAt);
      if (!complete && ageMs > LEFTOVER_AFTER_MS) await this.dropGeneration(generation, options);
    }
  }
}

function isOf(name: string, collection: string | undefined): boolean {
  const parsed = parseGenerationName(name);
  return parsed !== null && (collection === undefined || parsed.collection === collection);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

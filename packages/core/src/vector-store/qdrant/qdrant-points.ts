import type { Schemas } from '@qdrant/js-client-rest';
import type { ChunkRecord } from '../../document.ts';
import { assertPoints } from '../assert-point.ts';
import type {
  CountOptions,
  Generation,
  GenerationPoints,
  Health,
  Point,
  ReadOptions,
  ScannedPoint,
  ScanOptions,
  SearchHit,
  SearchQuery,
  StalePoint,
  StoredFingerprint,
  StoredPoint,
  WriteOptions,
} from '../vector-store.ts';
import type { QdrantConnection } from './connection.ts';
import { inParallel } from './in-parallel.ts';
import { MetadataIndexes } from './metadata-indexes.ts';
import { FINGERPRINT_FIELDS, readRecord, readScored, toFingerprint } from './point-records.ts';
import { hitsOf, pointsById } from '../stored-payload.ts';
import { numberOf, textOf } from '../stored-scalar.ts';
import { byDocument, byPipeline, notNewerThan } from './qdrant-filter.ts';
import { sendFiltered } from './served-filter.ts';
import { payloadBodies, staleBodies, upsertBodies, VECTOR_NAME } from './write-bodies.ts';

const SCAN_PAGE = 5_000;
const HASH_PAGE = 1000;
type Filter = Schemas['Filter'];

/** The points of one generation in Qdrant. */
export class QdrantPoints implements GenerationPoints {
  readonly generation: Generation;
  readonly #connection: QdrantConnection;
  readonly #metadataIndexes: MetadataIndexes;

  constructor(connection: QdrantConnection, generation: Generation) {
    this.#connection = connection;
    this.#metadataIndexes = new MetadataIndexes(connection, generation.name);
    this.generation = generation;
  }

  async fingerprints(
    ids: readonly string[],
    { signal }: ReadOptions = {},
  ): Promise<Map<string, StoredFingerprint>> {
    if (ids.length === 0) return new Map();
    const request = {
      ids: [...ids],
      with_payload: FINGERPRINT_FIELDS,
      with_vector: false,
    };
    const found = await this.#connection.call(
      `a lookup in ${this.#name}`,
      (client) => client.retrieve(this.#name, request),
      { signal },
    );
    return new Map(found.map((record) => [String(record.id), toFingerprint(record)]));
  }

  async findByTextHash(
    hashes: readonly string[],
    { signal }: ReadOptions = {},
  ): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    // A text may occur a million times: those that were found are not asked for again, so that each page brings new ones.
    for (let wanted = [...hashes]; wanted.length > 0;) {
      const filter: Filter = { must: [{ key: 'text_hash', match: { any: wanted } }] };
      const request = { filter, limit: HASH_PAGE, with_payload: ['text_hash'], with_vector: false };
      const { points, next_page_offset } = await this.#connection.call(
        `a lookup in ${this.#name}`,
        (client) => client.scroll(this.#name, request),
        { signal },
      );
      for (const { id, payload } of points) found.set(textOf(payload?.['text_hash']), String(id));
      if (points.length === 0 || (next_page_offset ?? null) === null) return found;
      wanted = wanted.filter((hash) => !found.has(hash));
    }
    return found;
  }

  async retrieve(ids: readonly string[], { signal }: ReadOptions = {}): Promise<Map<string, StoredPoint>> {
    if (ids.length === 0) return new Map();
    const request = { ids: [...ids], with_payload: true, with_vector: [VECTOR_NAME] };
    const found = await this.#connection.call(
      `a lookup in ${this.#name}`,
      (client) => client.retrieve(this.#name, request),
      { signal },
    );
    return pointsById(found.map(readRecord));
  }

  async upsert(points: readonly Point[], { runSequence, signal }: WriteOptions): Promise<void> {
    assertPoints(points, this.generation);
    await this.#metadataIndexes.ensure(
      points.map(({ chunk }) => chunk),
      signal,
    );
    await inParallel(upsertBodies(points, runSequence), (body) =>
      this.#connection.writeJson(
        `an upsert into ${this.#name}`,
        { method: 'PUT', path: `/collections/${this.#name}/points`, body },
        signal,
      ),
    );
  }

  async updatePayloads(chunks: readonly ChunkRecord[], { runSequence, signal }: WriteOptions): Promise<void> {
    await this.#metadataIndexes.ensure(chunks, signal);
    await this.#updateAll(payloadBodies(chunks, runSequence), signal);
  }

  async markStale(points: readonly StalePoint[], { runSequence, signal }: WriteOptions): Promise<void> {
    await this.#updateAll(staleBodies(points, runSequence), signal);
  }

  async delete(ids: readonly string[], { runSequence, signal }: WriteOptions): Promise<void> {
    for (let start = 0; start < ids.length; start += 1000) {
      const has_id = ids.slice(start, start + 1000);
      const filter: Filter = { must: [{ has_id }, ...notNewerThan(runSequence).must] };
      await this.#connection.write(
        `a deletion from ${this.#name}`,
        (client) => client.delete(this.#name, { wait: true, ordering: 'medium', filter }),
        signal,
      );
    }
  }

  async *scan({ pipeline, documentId, withStart = false, signal }: ScanOptions = {}): AsyncGenerator<
    readonly ScannedPoint[]
  > {
    const filter =
      documentId !== undefined
        ? byDocument(pipeline, documentId)
        : pipeline === undefined
          ? undefined
          : byPipeline(pipeline);
    const fields = ['document_id', 'chunk_index', ...(withStart ? ['start'] : [])];
    for await (const page of this.#scroll(filter, fields, SCAN_PAGE, signal)) {
      yield page.map(({ id, payload }) => ({
        id: String(id),
        documentId: textOf(payload?.['document_id']),
        chunkIndex: numberOf(payload?.['chunk_index']),
        ...(withStart ? { start: numberOf(payload?.['start']) } : {}),
      }));
    }
  }

  async count({ pipeline, filter = [], signal }: CountOptions = {}): Promise<number> {
    const { count } = await sendFiltered(this.#connection, {
      operation: `a count of ${this.#name}`,
      collection: this.#name,
      filter,
      signal,
      send: (client, own) => {
        const must = [...(pipeline === undefined ? [] : byPipeline(pipeline).must), own];
        return client.count(this.#name, { exact: true, filter: { must } });
      },
    });
    return count;
  }

  async search({
    vector,
    limit = 10,
    filter = [],
    exact = false,
    onDamaged,
    signal,
  }: SearchQuery): Promise<readonly SearchHit[]> {
    const request = { query: Array.from(vector), using: VECTOR_NAME, limit, with_payload: true };
    const { points } = await sendFiltered(this.#connection, {
      operation: `a search in ${this.#name}`,
      collection: this.#name,
      filter,
      signal,
      send: (client, own) => client.query(this.#name, { ...request, filter: own, params: { exact } }),
    });
    return hitsOf(
      points.map((point) => [String(point.id), readScored(point)]),
      onDamaged,
    );
  }

  async health({ signal }: ReadOptions = {}): Promise<Health> {
    const info = await this.#connection.call(
      `the state of ${this.#name}`,
      (client) => client.getCollection(this.#name),
      { signal },
    );
    const { status, optimizer_status: optimizer, points_count, indexed_vectors_count } = info;
    const state = `status ${status}, ${points_count ?? '?'} points, ${indexed_vectors_count ?? '?'} indexed`;
    const complaint = typeof optimizer === 'object' ? optimizer.error : null;
    return {
      healthy: status !== 'red' && complaint === null,
      detail: complaint === null ? state : `${state}; the optimizer says: ${complaint}`,
    };
  }

  /** The connection is the store's, which closes it. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  async #updateAll(bodies: Iterable<Buffer>, signal: AbortSignal | undefined): Promise<void> {
    for (const body of bodies) {
      await this.#connection.writeJson(
        `a payload update in ${this.#name}`,
        { method: 'POST', path: `/collections/${this.#name}/points/batch`, body },
        signal,
      );
    }
  }

  get #name(): string {
    return this.generation.name;
  }

  async *#scroll(
    filter: Filter | undefined,
    with_payload: string[],
    limit: number,
    signal: AbortSignal | undefined,
  ) {
    if (limit === 0) return;
    type Offset = NonNullable<
      Awaited<
        ReturnType<Parameters<Parameters<QdrantConnection['call']>[1]>[0]['scroll']>
      >['next_page_offset']
    >;
    let offset: Offset | undefined;
    do {
      const request = {
        limit,
        with_payload,
        with_vector: false,
        ...(filter === undefined ? {} : { filter }),
        ...(offset === undefined ? {} : { offset: offset as string }),
      };
      const page = await this.#connection.call(
        `a scan of ${this.#name}`,
        (client) => client.scroll(this.#name, request),
        { signal },
      );
      if (page.points.length > 0) yield page.points;
      offset = page.next_page_offset ?? undefined;
    } while (offset !== undefined);
  }
}

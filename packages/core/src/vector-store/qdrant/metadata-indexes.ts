import type { ChunkRecord, MetadataValue } from '../../document.ts';
import { isEmbedlineError } from '../../errors.ts';
import { storedInstant } from '../../dates.ts';
import type { QdrantConnection } from './connection.ts';
import { isInPath, metadataKey } from './qdrant-filter.ts';

/**
 * On disk, since only who filters by a field pays for it then. Numbers are `float` whatever the first one is: that index
 * holds whole numbers as well, and one of integers would leave all others out.
 */
const SCHEMAS = {
  string: { type: 'keyword', on_disk: true },
  date: { type: 'datetime', on_disk: true },
  number: { type: 'float', on_disk: true },
  boolean: 'bool',
} as const;
type FieldType = keyof typeof SCHEMAS;

/**
 * Payload indexes for the fields of metadata, made before the first point that has one: a search that filters by it is
 * quick from the start, and allowed where strict mode forbids filters without an index (hazards Q16). Users name the
 * fields that are kept, so there are few. A field has the type of its first value; others of it are found more slowly.
 */
export class MetadataIndexes {
  readonly #connection: QdrantConnection;
  readonly #collection: string;
  readonly #known = new Set<string>();

  constructor(connection: QdrantConnection, collection: string) {
    this.#connection = connection;
    this.#collection = collection;
  }

  /** Before these are written. Without an index all goes on: what a server will not index is told once. */
  async ensure(chunks: readonly ChunkRecord[], signal: AbortSignal | undefined): Promise<void> {
    const fields = this.#newFields(chunks);
    if (fields.size === 0) return;
    try {
      await this.#create(fields, signal);
    } catch (error) {
      if (!isEmbedlineError(error) || error.retryable) throw error;
      this.#connection.warn(
        `Searches that filter by ${[...fields.keys()].join(', ')} will be slow: ${error.message}`,
      );
    }
    for (const field of fields.keys()) this.#known.add(field);
  }

  #newFields(chunks: readonly ChunkRecord[]): Map<string, FieldType> {
    const fields = new Map<string, FieldType>();
    for (const { metadata } of chunks) {
      for (const field in metadata) {
        if (this.#known.has(field) || !isInPath(field)) continue;
        const type = typeOf(metadata[field] ?? null);
        if (type !== null && !fields.has(field)) fields.set(field, type);
      }
    }
    return fields;
  }

  async #create(fields: ReadonlyMap<string, FieldType>, signal: AbortSignal | undefined): Promise<void> {
    const name = this.#collection;
    const { payload_schema: indexed } = await this.#connection.call(
      `a look at ${name}`,
      (client) => client.getCollection(name),
      { signal },
    );
    for (const [field, type] of fields) {
      const key = metadataKey(field);
      if (indexed[key] !== undefined) continue;
      // Nobody waits: a collection that is there already may take minutes, and what is written later comes after it.
      await this.#connection.call(
        `an index of ${name}`,
        (client) =>
          client.createPayloadIndex(name, { field_name: key, field_schema: SCHEMAS[type], wait: false }),
        { signal },
      );
    }
  }
}

/** Of a list, that of its first element that has one; null says nothing. */
function typeOf(value: MetadataValue): FieldType | null {
  const first = [value].flat().find((scalar) => scalar !== null);
  if (first === undefined) return null;
  if (typeof first === 'string') return storedInstant(first) === null ? 'string' : 'date';
  return typeof first as FieldType;
}

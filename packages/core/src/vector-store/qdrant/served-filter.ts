import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import { isEmbedlineError } from '../../errors.ts';
import type { SearchFilter, ValueMatcher } from '../filter/search-filter.ts';
import type { QdrantConnection } from './connection.ts';
import { payloadKey, toFilter } from './qdrant-filter.ts';

/** Types of payload index that serve a matcher, each of which is enough; of `present` and `null` any does. */
const SERVING: Partial<Record<ValueMatcher['kind'], readonly string[]>> = {
  text: ['keyword', 'uuid', 'text'],
  boolean: ['bool'],
  number: ['integer', 'float'],
  date: ['datetime'],
};

export interface FilteredRequest<T> {
  /** For messages, e.g. `a search in docs--g1`. */
  readonly operation: string;
  readonly collection: string;
  readonly filter: SearchFilter;
  readonly signal: AbortSignal | undefined;
  send(client: QdrantClient, filter: Schemas['Filter']): Promise<T>;
}

/**
 * Sends a request with a filter. In strict mode a server refuses conditions without an index of their type, and a value
 * that is not typed (`year=2009`) asks for two types, of which the field's index is one: then the request is sent again with
 * what the indexes serve.
 */
export async function sendFiltered<T>(connection: QdrantConnection, request: FilteredRequest<T>): Promise<T> {
  const { operation, collection, filter, signal } = request;
  const send = (served: SearchFilter) =>
    connection.call(operation, (client) => request.send(client, toFilter(served)), { signal });
  try {
    return await send(filter);
  } catch (error) {
    if (!isEmbedlineError(error, 'STORE_REJECTED') || !/index required/i.test(error.message)) throw error;
    const look = (client: QdrantClient) => client.getCollection(collection);
    const { payload_schema: schema } = await connection.call(`a look at ${collection}`, look, { signal });
    const served = narrow(filter, (field) => schema[payloadKey(field)]?.data_type);
    if (served === null) throw error;
    return send(served);
  }
}

/** Null when that changes nothing, or leaves a condition empty. */
function narrow(
  filter: SearchFilter,
  indexTypeOf: (field: string) => string | undefined,
): SearchFilter | null {
  const served = filter.map((condition) => ({
    ...condition,
    anyOf: condition.anyOf.filter(({ kind }) => {
      const types = SERVING[kind];
      return types === undefined || types.includes(indexTypeOf(condition.field) ?? '');
    }),
  }));
  const isNarrower = served.some(({ anyOf }, index) => anyOf.length < (filter[index]?.anyOf.length ?? 0));
  return isNarrower && served.every(({ anyOf }) => anyOf.length > 0) ? served : null;
}

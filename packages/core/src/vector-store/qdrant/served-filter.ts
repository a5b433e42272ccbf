import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import { isEmbedlineError } from '../../errors.ts';
import type { SearchFilter, ValueMatcher } from '../filter/search-filter.ts';
import type { QdrantConnection } from './connection.ts';
import { alternativesOf, toCondition, toFilter, type Alternative } from './qdrant-filter.ts';

/** Types of payload index that serve a matcher, each of which is enough; `present` and `null` are served by any. */
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
  const send = (body: Schemas['Filter']) =>
    connection.call(operation, (client) => request.send(client, body), { signal });
  try {
    return await send(toFilter(filter));
  } catch (error) {
    if (!isEmbedlineError(error, 'STORE_REJECTED') || !/index required/i.test(error.message)) throw error;
    const look = (client: QdrantClient) => client.getCollection(collection);
    const { payload_schema: schema } = await connection.call(`a look at ${collection}`, look, { signal });
    const served = narrow(filter, (key) => schema[key]?.data_type);
    if (served === null) throw error;
    return send(served);
  }
}

/** Null when that changes nothing, or leaves a condition empty. */
function narrow(
  filter: SearchFilter,
  indexTypeOf: (key: string) => string | undefined,
): Schemas['Filter'] | null {
  const isServed = ({ key, kind }: Alternative) => {
    const type = indexTypeOf(key);
    return type !== undefined && (SERVING[kind]?.includes(type) ?? true);
  };
  const conditions = filter.map((condition) => {
    const all = alternativesOf(condition);
    return { condition, all, served: all.filter(isServed) };
  });
  if (conditions.some(({ served }) => served.length === 0)) return null;
  if (conditions.every(({ all, served }) => served.length === all.length)) return null;
  return { must: conditions.map(({ condition, served }) => toCondition(condition, served)) };
}

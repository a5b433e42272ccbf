import { DoubleCollection, type CollectionBody } from './collection.ts';
import type { Strictness } from './filter.ts';
import { badBody, notFound, wrongInput } from './rejection.ts';

type Body = Record<string, unknown>;
type WriteStatus = 'completed' | 'acknowledged';

/** What the double holds, and what it answers to each request that the adapter makes. */
export class DoubleState {
  readonly collections = new Map<string, DoubleCollection>();
  readonly aliases = new Map<string, string>();
  readonly strictness: Strictness;

  constructor(strictness: Strictness) {
    this.strictness = strictness;
  }

  /**
   * @param waits whether the request says `wait=true`; without it a write is only acknowledged, as by the server
   * @returns the `result` of the answer
   */
  answer(method: string, path: string, body: Body, waits: boolean): unknown {
    const [, first, name, ...rest] = path.split('/').map(decodeURIComponent);
    if (first === 'aliases' && method === 'GET') return { aliases: this.#listAliases() };
    if (first !== 'collections') throw badBody(`the double knows no ${method} ${path}`);
    if (name === undefined)
      return { collections: [...this.collections.keys()].map((key) => ({ name: key })) };
    if (name === 'aliases' && method === 'POST') return this.#updateAliases(body);
    const route = `${method} ${rest.join('/')}`.trim();
    switch (route) {
      case 'GET exists':
        return { exists: this.collections.has(this.aliases.get(name) ?? name) };
      case 'PUT':
        return this.#create(name, body);
      case 'DELETE':
        return this.#drop(name);
      default:
        return this.#answerFor(this.#collection(name), route, body, waits ? 'completed' : 'acknowledged');
    }
  }

  #answerFor(collection: DoubleCollection, route: string, body: Body, status: WriteStatus): unknown {
    switch (route) {
      case 'GET':
        return describe(collection);
      case 'PATCH':
        collection.update(body);
        return true;
      case 'PUT index':
        collection.createIndex(body['field_name'], body['field_schema']);
        return updated(status);
      case 'PUT points':
        collection.upsert((body['points'] ?? []) as [], body['update_filter']);
        return updated(status);
      case 'POST points':
        return collection.retrieve((body['ids'] ?? []) as [], body['with_payload'], body['with_vector']);
      case 'POST points/scroll':
        return collection.scroll(
          body['filter'],
          Number(body['limit'] ?? 10),
          body['offset'] as string | undefined,
          body['with_payload'],
          body['with_vector'],
        );
      case 'POST points/count':
        return { count: collection.count(body['filter']) };
      case 'POST points/delete':
        collection.delete(body['filter']);
        return updated(status);
      case 'POST points/query':
        return {
          points: collection.query(
            body['query'] as number[],
            String(body['using']),
            Number(body['limit']),
            body['filter'],
          ),
        };
      case 'POST points/batch':
        return (body['operations'] as Record<string, Body>[]).map((operation) => {
          const { overwrite_payload: overwrite, set_payload: set } = operation;
          if (overwrite !== undefined)
            collection.overwritePayload(overwrite['filter'], overwrite['payload'] as Body);
          else if (set !== undefined) collection.setPayload(set['filter'], set['payload'] as Body);
          else throw badBody('the double knows no such operation');
          return updated(status);
        });
      default:
        throw badBody(`the double knows no ${route}`);
    }
  }

  #collection(name: string): DoubleCollection {
    const found = this.collections.get(this.aliases.get(name) ?? name);
    if (found === undefined) throw notFound(name);
    return found;
  }

  /** Like the server as the client was seen to use it: metadata given at creation is not kept. */
  #create(name: string, body: CollectionBody): boolean {
    if (this.collections.has(name) || this.aliases.has(name))
      throw wrongInput(`Collection \`${name}\` already exists!`, 409);
    this.collections.set(name, new DoubleCollection(body, this.strictness));
    return true;
  }

  #drop(name: string): boolean {
    for (const [alias, target] of this.aliases) if (target === name) this.aliases.delete(alias);
    return this.collections.delete(name);
  }

  #listAliases() {
    return [...this.aliases].map(([alias_name, collection_name]) => ({ alias_name, collection_name }));
  }

  /** All actions or none. */
  #updateAliases(body: Body): boolean {
    const next = new Map(this.aliases);
    for (const action of body['actions'] as Record<string, Record<string, string>>[]) {
      const create = action['create_alias'];
      if (create !== undefined) {
        const { alias_name = '', collection_name = '' } = create;
        if (!this.collections.has(collection_name)) throw notFound(collection_name);
        if (this.collections.has(alias_name))
          throw wrongInput(`Collection \`${alias_name}\` already exists!`, 409);
        next.set(alias_name, collection_name);
      }
      const alias = action['delete_alias']?.['alias_name'];
      if (alias !== undefined) next.delete(alias);
    }
    this.aliases.clear();
    for (const [alias, target] of next) this.aliases.set(alias, target);
    return true;
  }
}

function describe(collection: DoubleCollection): object {
  const indexing = collection.lookAtIndexing();
  return {
    status: indexing.done ? 'green' : 'yellow',
    optimizer_status: 'ok',
    points_count: collection.size,
    indexed_vectors_count: indexing.vectors,
    segments_count: 1,
    config: {
      params: { vectors: collection.vectors },
      hnsw_config: { m: collection.hnswM, ef_construct: 100, full_scan_threshold: 10_000 },
      ...(Object.keys(collection.metadata).length === 0 ? {} : { metadata: collection.metadata }),
    },
    payload_schema: Object.fromEntries(
      [...collection.indexed].map(([key, data_type]) => [key, { data_type, points: collection.size }]),
    ),
  };
}

function updated(status: WriteStatus) {
  return { operation_id: 1, status };
}

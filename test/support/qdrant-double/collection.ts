import { compileFilter, INDEX_TYPES, type IndexType, type Payload, type Strictness } from './filter.ts';
import { badBody, checkId, wrongInput } from './rejection.ts';

interface StoredPoint {
  readonly vectors: Record<string, number[]>;
  readonly payload: Payload;
}

interface PointBody {
  readonly id?: unknown;
  readonly vector?: unknown;
  readonly payload?: unknown;
}

interface VectorBody {
  readonly size?: number;
  readonly distance?: string;
}

export interface CollectionBody {
  /** By name, or those of the only vector, which then has none. */
  readonly vectors?: Record<string, VectorBody> | VectorBody;
  readonly metadata?: Record<string, unknown>;
}

export interface CollectionUpdate {
  readonly metadata?: Record<string, unknown>;
  readonly hnsw_config?: { readonly m?: number | null };
}

const LOOKS_UNTIL_INDEXED = 4;

/** As the server calls the vector of a collection that was created without a name for it. */
const UNNAMED = '';

/** One collection of the double: as strict as a real 1.18.3 was seen to be (notes/qdrant.md). */
export class DoubleCollection {
  readonly vectors: Record<string, { size: number; distance: string }>;
  metadata: Record<string, unknown> = {};
  /** The server's own default. */
  hnswM = 16;
  /** Looks at the collection until the graph that is being built is there; the first of them comes too early. */
  #looksUntilIndexed = 0;
  /** Type by key. */
  readonly indexed = new Map<string, IndexType>();
  readonly #points = new Map<string, StoredPoint>();
  readonly #strictness: Strictness;

  constructor(body: CollectionBody, strictness: Strictness) {
    this.#strictness = strictness;
    this.vectors = Object.fromEntries(
      Object.entries(byName(body.vectors ?? {})).map(([name, { size = 0, distance = '' }]) => {
        if (size < 1 || !['Cosine', 'Dot', 'Euclid', 'Manhattan'].includes(distance))
          throw badBody('vectors: invalid parameters');
        return [name, { size, distance }];
      }),
    );
  }

  get size(): number {
    return this.#points.size;
  }

  /** @param schema a type, or an object with one and its parameters */
  createIndex(key: unknown, schema: unknown): void {
    const given =
      typeof schema === 'object' && schema !== null ? (schema as { type?: unknown }).type : schema;
    const type = INDEX_TYPES.find((known) => known === given);
    if (typeof key !== 'string' || type === undefined)
      throw badBody('data did not match any variant of untagged enum PayloadFieldSchema');
    this.indexed.set(key, type);
  }

  /** PATCH merges metadata by its top keys; another `m` makes the server build all graphs anew, some time later. */
  update(body: CollectionUpdate): void {
    const m = body.hnsw_config?.m;
    if (m !== undefined && m !== null) {
      if (!Number.isSafeInteger(m) || m < 0) throw badBody(`hnsw_config.m: invalid value ${String(m)}`);
      if (m !== this.hnswM && m > 0) this.#looksUntilIndexed = LOOKS_UNTIL_INDEXED;
      this.hnswM = m;
    }
    Object.assign(this.metadata, body.metadata);
  }

  lookAtIndexing(): { done: boolean; vectors: number } {
    const left = this.#looksUntilIndexed;
    this.#looksUntilIndexed = Math.max(0, left - 1);
    const done = left === 0 || left === LOOKS_UNTIL_INDEXED;
    return { done, vectors: this.hnswM > 0 && left === 0 ? this.size : 0 };
  }

  upsert(points: readonly PointBody[], updateFilter: unknown): void {
    const passes = this.#filter(updateFilter);
    // The whole request is checked first: one bad point and nothing is stored.
    const checked = points.map((point) => ({
      id: checkId(point.id),
      vectors: this.#checkVectors(point.vector),
      payload: (point.payload ?? {}) as Payload,
    }));
    for (const { id, vectors, payload } of checked) {
      const existing = this.#points.get(id);
      if (existing !== undefined && updateFilter !== undefined && !passes(id, existing.payload)) continue;
      this.#points.set(id, { vectors, payload });
    }
  }

  overwritePayload(filter: unknown, payload: Payload): void {
    const passes = this.#filter(filter);
    for (const [id, point] of this.#points)
      if (passes(id, point.payload)) this.#points.set(id, { ...point, payload });
  }

  /** Merged by top keys. */
  setPayload(filter: unknown, payload: Payload): void {
    const passes = this.#filter(filter);
    for (const [id, point] of this.#points)
      if (passes(id, point.payload))
        this.#points.set(id, { ...point, payload: { ...point.payload, ...payload } });
  }

  delete(filter: unknown): void {
    const passes = this.#filter(filter);
    for (const [id, { payload }] of this.#points) if (passes(id, payload)) this.#points.delete(id);
  }

  retrieve(ids: readonly unknown[], withPayload: unknown, withVector: unknown): object[] {
    return ids.map(checkId).flatMap((id) => {
      const point = this.#points.get(id);
      return point === undefined ? [] : [record(id, point, withPayload, withVector)];
    });
  }

  /** In the order of ids, as the server does. */
  scroll(
    filter: unknown,
    limit: number,
    offset: string | undefined,
    withPayload: unknown,
    withVector: unknown,
  ) {
    const passes = this.#filter(filter);
    const ids = [...this.#points.keys()].sort().filter((id) => offset === undefined || id >= offset);
    const matching = ids.filter((id) => passes(id, this.#points.get(id)?.payload ?? {}));
    const page = matching.slice(0, limit);
    return {
      points: this.retrieve(page, withPayload, withVector),
      next_page_offset: matching[limit] ?? null,
    };
  }

  count(filter: unknown): number {
    const passes = this.#filter(filter);
    return this.#points
      .entries()
      .filter(([id, { payload }]) => passes(id, payload))
      .toArray().length;
  }

  query(vector: readonly number[], using: string, limit: number, filter: unknown): object[] {
    const params = this.vectors[using];
    if (params === undefined) throw wrongInput(`Not existing vector name error: ${using}`);
    if (vector.length !== params.size) {
      throw wrongInput(`Vector dimension error: expected dim: ${params.size}, got ${vector.length}`);
    }
    const passes = this.#filter(filter);
    const unit = normalize(vector);
    return [...this.#points]
      .filter(([id, { payload }]) => passes(id, payload))
      .map(([id, point]) => ({
        id,
        version: 1,
        score: dot(unit, point.vectors[using] ?? []),
        payload: point.payload,
      }))
      .sort((a, b) => b.score - a.score)
      .slice(0, limit);
  }

  #filter(filter: unknown) {
    return compileFilter(filter, { indexed: this.indexed, strictness: this.#strictness });
  }

  #checkVectors(vector: unknown): Record<string, number[]> {
    if (typeof vector !== 'object' || vector === null) throw badVector();
    const named = Array.isArray(vector) ? { [UNNAMED]: vector } : (vector as Record<string, unknown>);
    return Object.fromEntries(
      Object.entries(named).map(([name, numbers]) => {
        if (!Array.isArray(numbers) || numbers.some((value) => typeof value !== 'number')) throw badVector();
        const params = this.vectors[name];
        if (params === undefined) throw wrongInput(`Not existing vector name error: ${name}`);
        if (numbers.length !== params.size) {
          throw wrongInput(
            `Vector dimension error: expected dim: ${params.size}, got ${numbers.length} for vector '${name}'`,
          );
        }
        return [name, normalize(numbers as number[])];
      }),
    );
  }
}

function byName(vectors: NonNullable<CollectionBody['vectors']>): Record<string, VectorBody> {
  return typeof vectors.size === 'number' ? { [UNNAMED]: vectors } : (vectors as Record<string, VectorBody>);
}

function badVector() {
  return badBody('data did not match any variant of untagged enum VectorStruct');
}

/** Cosine collections keep unit vectors, in 32 bits; one that is of unit length already (to 1e-6 of its square) keeps its bits. */
function normalize(vector: readonly number[]): number[] {
  const numbers = vector.map(Math.fround);
  const square = numbers.reduce((sum, value) => sum + value * value, 0);
  if (square < 2 ** -23 || Math.abs(square - 1) <= 1e-6) return numbers;
  const length = Math.sqrt(square);
  return numbers.map((value) => Math.fround(value / length));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

function record(
  id: string,
  { vectors, payload }: StoredPoint,
  withPayload: unknown,
  withVector: unknown,
): object {
  const names = Array.isArray(withPayload)
    ? (withPayload as string[])
    : withPayload === true
      ? Object.keys(payload)
      : [];
  const chosen = Object.fromEntries(
    names.filter((name) => name in payload).map((name) => [name, payload[name]]),
  );
  const wanted = Array.isArray(withVector)
    ? (withVector as string[])
    : withVector === true
      ? Object.keys(vectors)
      : null;
  const vector =
    wanted === null ? {} : { vector: Object.fromEntries(wanted.map((name) => [name, vectors[name]])) };
  return { id, payload: chosen, ...vector };
}

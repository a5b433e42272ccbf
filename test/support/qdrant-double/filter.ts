import { badBody, checkId, Rejection } from './rejection.ts';

export type Payload = Record<string, unknown>;

export const INDEX_TYPES = ['keyword', 'integer', 'float', 'bool', 'datetime'] as const;
export type IndexType = (typeof INDEX_TYPES)[number];

/**
 * Which conditions on fields without an index are refused, as strict mode does: those that the adapter makes by itself,
 * or those on metadata as well, which are a person's, and only slow without one.
 */
export type Strictness = 'own' | 'all';

export interface FilterContext {
  readonly indexed: ReadonlyMap<string, IndexType>;
  readonly strictness: Strictness;
}

interface Condition {
  readonly has_id?: readonly string[];
  readonly is_null?: { readonly key: string };
  readonly is_empty?: { readonly key: string };
  readonly key?: string;
  readonly match?: { readonly value?: unknown; readonly any?: readonly unknown[] };
  readonly range?: Range;
}

type Bound = 'lt' | 'lte' | 'gt' | 'gte';
type Range = Readonly<Partial<Record<Bound, number | string>>>;
type Clause = 'must' | 'should' | 'must_not';
type Clauses = Readonly<Partial<Record<Clause, readonly (Condition | Clauses)[]>>>;
type Test = (id: string, payload: Payload) => boolean;

/** Compiles a filter of the clauses that the adapter sends, nested or not; anything else is refused. */
export function compileFilter(filter: unknown, context: FilterContext): Test {
  if (filter === undefined || filter === null) return () => true;
  const { must = [], should = [], must_not: mustNot = [], ...others } = filter as Clauses;
  if (Object.keys(others).length > 0)
    throw badBody(`the double knows no filter clause ${Object.keys(others).join(', ')}`);
  const [all, any, none] = [must, should, mustNot].map((part) => part.map((one) => compile(one, context)));
  return (id, payload) =>
    (all ?? []).every((test) => test(id, payload)) &&
    (any?.length === 0 || (any ?? []).some((test) => test(id, payload))) &&
    !(none ?? []).some((test) => test(id, payload));
}

function compile(given: Condition | Clauses, context: FilterContext): Test {
  if (['must', 'should', 'must_not'].some((clause) => clause in given)) return compileFilter(given, context);
  const condition = given as Condition;
  const { has_id: ids, is_null: isNull, is_empty: isEmpty, key, match, range } = condition;
  if (ids !== undefined) {
    const set = new Set(ids.map(checkId));
    return (id) => set.has(id);
  }
  if (isNull !== undefined) return (_, payload) => valuesAt(payload, isNull.key).includes(null);
  if (isEmpty !== undefined)
    return (_, payload) => valuesAt(payload, isEmpty.key).every((value) => value === null);
  if (key === undefined) throw badBody('data did not match any variant of untagged enum Condition');
  assertIndexed(key, condition, context);
  if (match !== undefined) {
    if (typeof match.value === 'number' && !Number.isInteger(match.value)) {
      throw badBody('data did not match any variant of untagged enum Match');
    }
    const wanted = new Set(match.any ?? [match.value]);
    return (_, payload) => valuesAt(payload, key).some((value) => wanted.has(value));
  }
  if (range !== undefined) return (_, payload) => valuesAt(payload, key).some(rangeTest(range));
  throw badBody('data did not match any variant of untagged enum Condition');
}

/** Of numbers, or of dates: the bounds decide, which must all be of one kind. */
function rangeTest(range: Range): (value: unknown) => boolean {
  const bounds = Object.entries(range);
  const dates = isDateRange(range);
  const limits = bounds.map(([bound, limit]) => [bound as Bound, dates ? instantOf(limit) : limit] as const);
  if (limits.some(([, limit]) => typeof limit !== 'number'))
    throw badBody('data did not match any variant of untagged enum RangeInterface');
  return (value) => {
    const number = dates ? instantOf(value) : value;
    return (
      typeof number === 'number' && limits.every(([bound, limit]) => compare(number, bound, Number(limit)))
    );
  };
}

function compare(value: number, bound: Bound, limit: number): boolean {
  if (bound === 'lt') return value < limit;
  if (bound === 'lte') return value <= limit;
  return bound === 'gt' ? value > limit : value >= limit;
}

function isDateRange(range: Range): boolean {
  return Object.values(range).some((limit) => typeof limit === 'string');
}

/** To the millisecond, which is enough here; null for what is not a date. */
function instantOf(value: unknown): number | null {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d/.test(value)) return null;
  const hasOffset = /([zZ]|[+-]\d\d:?\d\d)$/.test(value.slice(10));
  const ms = Date.parse(hasOffset || value.length === 10 ? value : `${value}Z`);
  return Number.isNaN(ms) ? null : ms;
}

function assertIndexed(key: string, condition: Condition, { indexed, strictness }: FilterContext): void {
  if (strictness === 'own' && key.startsWith('metadata.')) return;
  const serving = indexTypesFor(condition);
  const found = indexed.get(key);
  if (found !== undefined && serving.includes(found)) return;
  throw new Rejection(
    400,
    `Bad request: Index required but not found for "${key}" of one of the following types: [${serving.join(', ')}]. ` +
      `Help: Create an index for this key or use a different filter.`,
  );
}

/** Those that serve a condition, each of which is enough. */
function indexTypesFor({ match, range }: Condition): readonly IndexType[] {
  if (range !== undefined) return isDateRange(range) ? ['datetime'] : ['integer', 'float'];
  const value = match?.value ?? match?.any?.[0];
  if (typeof value === 'number') return ['integer'];
  return [typeof value === 'boolean' ? 'bool' : 'keyword'];
}

/** Elements of an array, or the one value; none when it is absent. */
function valuesAt(payload: Payload, path: string): unknown[] {
  let value: unknown = payload;
  for (const part of path.match(/"(?:[^"\\]|\\.)*"|[^.]+/g) ?? []) {
    const name = part.startsWith('"') ? (JSON.parse(part) as string) : part;
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return [];
    value = (value as Payload)[name];
  }
  return Array.isArray(value) ? value : [value];
}

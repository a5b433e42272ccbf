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
  if (isNull !== undefined) return (_, payload) => at(payload, isNull.key).includes(null);
  if (isEmpty !== undefined)
    return (_, payload) =>
      at(payload, isEmpty.key).every((value) => [value].flat().length === 0 || value === null);
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
  if (limits.some(([, limit]) => typeof limit !== (dates ? 'bigint' : 'number')))
    throw badBody('data did not match any variant of untagged enum RangeInterface');
  return (value) => {
    const found = dates ? instantOf(value) : value;
    if (typeof found !== 'number' && typeof found !== 'bigint') return false;
    return limits.every(([bound, limit]) => compare(found, bound, limit as number | bigint));
  };
}

function compare(value: number | bigint, bound: Bound, limit: number | bigint): boolean {
  if (bound === 'lt') return value < limit;
  if (bound === 'lte') return value <= limit;
  return bound === 'gt' ? value > limit : value >= limit;
}

function isDateRange(range: Range): boolean {
  return Object.values(range).some((limit) => typeof limit === 'string');
}

const DATES = [
  /^(\d{4})-(\d\d?)-(\d\d?)[Tt ](\d\d?):(\d\d?):(\d\d?)(?:\.(\d+))? *(Z|z|[+-]\d\d(?::?\d\d)?)$/,
  /^(\d{4})-(\d\d?)-(\d\d?)[T ](\d\d?):(\d\d?):(\d\d?)(?:\.(\d+))?()$/,
  /^(\d{4})-(\d\d?)-(\d\d?) (\d\d?):(\d\d?)()()()$/,
  /^(\d{4})-(\d\d?)-(\d\d?)()()()()()$/,
];

/** Microseconds of what Qdrant 1.18 parses as a date (the formats of chrono that it tries); null for anything else. */
function instantOf(value: unknown): bigint | null {
  const found = typeof value === 'string' ? DATES.map((form) => form.exec(value)).find(Boolean) : undefined;
  if (found === undefined || found === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  if (hour > 23 || minute > 59 || second > 60) return null;
  const [zoneHour = 0, zoneMinute = 0] = (found[8]?.match(/\d\d/g) ?? []).map(Number);
  const zone = (found[8]?.startsWith('-') === true ? -1 : 1) * (zoneHour * 60 + zoneMinute);
  const ms = date.getTime() + ((hour * 60 + minute - zone) * 60 + second) * 1000;
  return BigInt(ms) * 1000n + BigInt((found[7] ?? '').slice(0, 6).padEnd(6, '0'));
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

/** Elements of the arrays at a path, and values that are none. */
function valuesAt(payload: Payload, path: string): unknown[] {
  return at(payload, path).flat();
}

/** A step of a path: a plain name, one in quotes, which knows no escapes, or all elements of an array. */
const STEP = /(?:^|\.)(?:(?<plain>[\p{L}\p{N}_-]+)|"(?<quoted>[^"\\]*)")|(?<all>\[\])/uy;

/** What is at a path, which is one value unless it leads through arrays. */
function at(payload: Payload, path: string): unknown[] {
  let values: unknown[] = [payload];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < path.length) {
    const step = STEP.exec(path)?.groups;
    if (step === undefined) throw badBody(`Invalid json path: '${path}'`);
    const name = step['plain'] ?? step['quoted'];
    values = values.flatMap((value) => {
      if (name === undefined) return Array.isArray(value) ? (value as unknown[]) : [];
      const isHolder = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
      return isHolder ? [(value as Payload)[name]] : [];
    });
  }
  return values;
}

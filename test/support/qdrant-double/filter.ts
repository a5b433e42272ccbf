import { badBody, checkId, Rejection } from './rejection.ts';

export type Payload = Record<string, unknown>;

export const INDEX_TYPES = ['keyword', 'integer', 'float', 'bool'] as const;
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
  readonly key?: string;
  readonly match?: { readonly value?: unknown; readonly any?: readonly unknown[] };
  readonly range?: {
    readonly lt?: number;
    readonly lte?: number;
    readonly gt?: number;
    readonly gte?: number;
  };
}

/** Compiles a filter of `must` conditions, the only ones the adapter sends; anything else is refused. */
export function compileFilter(
  filter: unknown,
  context: FilterContext,
): (id: string, payload: Payload) => boolean {
  if (filter === undefined || filter === null) return () => true;
  const { must, ...others } = filter as { must?: readonly Condition[] };
  if (Object.keys(others).length > 0)
    throw badBody(`the double knows no filter clause ${Object.keys(others).join(', ')}`);
  const tests = (must ?? []).map((condition) => compile(condition, context));
  return (id, payload) => tests.every((test) => test(id, payload));
}

function compile(condition: Condition, context: FilterContext): (id: string, payload: Payload) => boolean {
  const { has_id: ids, is_null: isNull, key, match, range } = condition;
  if (ids !== undefined) {
    const set = new Set(ids.map(checkId));
    return (id) => set.has(id);
  }
  if (isNull !== undefined) return (_, payload) => valuesAt(payload, isNull.key).includes(null);
  if (key === undefined) throw badBody('data did not match any variant of untagged enum Condition');
  assertIndexed(key, condition, context);
  if (match !== undefined) {
    if (typeof match.value === 'number' && !Number.isInteger(match.value)) {
      throw badBody('data did not match any variant of untagged enum Match');
    }
    const wanted = new Set(match.any ?? [match.value]);
    return (_, payload) => valuesAt(payload, key).some((value) => wanted.has(value));
  }
  if (range !== undefined)
    return (_, payload) =>
      valuesAt(payload, key).some((value) => typeof value === 'number' && within(value, range));
  throw badBody('data did not match any variant of untagged enum Condition');
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
  if (range !== undefined) return ['integer', 'float'];
  const value = match?.value ?? match?.any?.[0];
  if (typeof value === 'number') return ['integer'];
  return [typeof value === 'boolean' ? 'bool' : 'keyword'];
}

function within(
  value: number,
  { lt = Infinity, lte = Infinity, gt = -Infinity, gte = -Infinity }: NonNullable<Condition['range']>,
): boolean {
  return value < lt && value <= lte && value > gt && value >= gte;
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

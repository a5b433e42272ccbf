import type { MetadataScalar } from '../../document.ts';

/** Limits of a range; those that are absent do not limit. */
export interface Bounds<T> {
  readonly gt?: T;
  readonly gte?: T;
  readonly lt?: T;
  readonly lte?: T;
}

/**
 * One way in which a value of a field can match. `number` and `date` hold ranges; equality is a range of one value.
 * Dates are instants in UTC, such as 2024-05-01T00:00:00.000000Z (dates.ts). `present` matches any value but null.
 */
export type ValueMatcher =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }
  | { readonly kind: 'present' }
  | ({ readonly kind: 'number' } & Bounds<number>)
  | ({ readonly kind: 'date' } & Bounds<string>);

/**
 * A condition on one field. It holds when a value of the field (any element, if the field holds a list) matches one of
 * `anyOf`; if `negated`, when none does, which is also true of a point without the field.
 */
export interface FilterCondition {
  /** A metadata field; `document_id`, `pipeline` and `title` name that of the point itself as well. */
  readonly field: string;
  readonly negated: boolean;
  readonly anyOf: readonly ValueMatcher[];
}

/** All conditions must hold. An empty filter lets every point pass. */
export type SearchFilter = readonly FilterCondition[];

/** Fields of a point itself that a filter may name. A metadata field of the same name is looked at, too. */
export const POINT_FIELDS: ReadonlySet<string> = new Set(['document_id', 'pipeline', 'title']);

/** A filter that asks each of these fields for exactly this value, of exactly this type. */
export function whereEqual(fields: Readonly<Record<string, MetadataScalar>>): SearchFilter {
  return Object.entries(fields).map(([field, value]) => ({
    field,
    negated: false,
    anyOf: [equalTo(value)],
  }));
}

/** A filter that asks for points that have a value in this field. */
export function whereHas(field: string): SearchFilter {
  return [{ field, negated: false, anyOf: [{ kind: 'present' }] }];
}

function equalTo(value: MetadataScalar): ValueMatcher {
  if (value === null) return { kind: 'null' };
  if (typeof value === 'number') return { kind: 'number', gte: value, lte: value };
  return typeof value === 'boolean' ? { kind: 'boolean', value } : { kind: 'text', value };
}

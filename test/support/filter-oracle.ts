import type { Metadata, MetadataScalar, SearchFilter, ValueMatcher } from '@embedline/core';
import type { Bounds } from '../../packages/core/src/vector-store/filter/search-filter.ts';
import { storedInstant } from '../../packages/core/src/dates.ts';

/** What a filter means, in the plainest words: the stores are compared with it. */
export function passes(filter: SearchFilter, metadata: Metadata): boolean {
  return filter.every(({ field, negated, anyOf }) => {
    const values = Object.hasOwn(metadata, field) ? [metadata[field] ?? null].flat() : [];
    return negated !== values.some((value) => anyOf.some((matcher) => matches(matcher, value)));
  });
}

function matches(matcher: ValueMatcher, value: MetadataScalar): boolean {
  switch (matcher.kind) {
    case 'present':
      return value !== null;
    case 'null':
      return value === null;
    case 'text':
    case 'boolean':
      return value === matcher.value;
    case 'number':
      return typeof value === 'number' && isBetween(value, matcher);
    case 'date': {
      const instant = typeof value === 'string' ? storedInstant(value) : null;
      return instant !== null && isBetween(instant, matcher);
    }
  }
}

function isBetween<T extends number | string>(value: T, { gt, gte, lt, lte }: Bounds<T>): boolean {
  return (
    (gt === undefined || value > gt) &&
    (gte === undefined || value >= gte) &&
    (lt === undefined || value < lt) &&
    (lte === undefined || value <= lte)
  );
}

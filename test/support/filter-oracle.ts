import type { Metadata, MetadataScalar, SearchFilter, ValueMatcher } from '@embedline/core';
import { parseDate } from '../../packages/core/src/vector-store/filter/dates.ts';

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
      return typeof value === 'number' && within(value, matcher);
    case 'date': {
      const date = typeof value === 'string' ? parseDate(value) : null;
      return date !== null && within(date.from, matcher);
    }
  }
}

function within(
  value: number,
  {
    gt = -Infinity,
    gte = -Infinity,
    lt = Infinity,
    lte = Infinity,
  }: { gt?: number; gte?: number; lt?: number; lte?: number },
): boolean {
  return value > gt && value >= gte && value < lt && value <= lte;
}

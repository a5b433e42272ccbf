import type { Schemas } from '@qdrant/js-client-rest';
import { formatInstant } from '../filter/dates.ts';
import {
  POINT_FIELDS,
  type Bounds,
  type FilterCondition,
  type SearchFilter,
  type ValueMatcher,
} from '../filter/search-filter.ts';

type Filter = Schemas['Filter'];

/** The fence: leaves points that a later run wrote out. */
export function notNewerThan(runSequence: number) {
  return { must: [{ key: 'run_sequence', range: { lte: runSequence } }] };
}

export function byPipeline(pipeline: string) {
  return { must: [{ key: 'pipeline', match: { value: pipeline } }] };
}

export function byDocument(pipeline: string, documentId: string): Filter {
  return { must: [...byPipeline(pipeline).must, { key: 'document_id', match: { value: documentId } }] };
}

/** Conditions on metadata fields, or on fields of the point itself. */
export function toFilter(filter: SearchFilter): Filter {
  return { must: filter.map(toCondition) };
}

/** Where the value of a field that a filter names is in a payload. */
export function payloadKey(field: string): string {
  return POINT_FIELDS.has(field) ? field : metadataKey(field);
}

/** Where a metadata field is in a payload, as paths of Qdrant are written. */
export function metadataKey(field: string): string {
  return `metadata.${/^[\w-]+$/.test(field) ? field : JSON.stringify(field)}`;
}

function toCondition({ field, negated, anyOf }: FilterCondition): Schemas['Condition'] {
  const key = payloadKey(field);
  const alternatives = anyOf.map((matcher) => toAlternative(key, matcher));
  if (negated) return { must_not: alternatives };
  const [only] = alternatives;
  return only !== undefined && alternatives.length === 1 ? only : { should: alternatives };
}

function toAlternative(key: string, matcher: ValueMatcher): Schemas['Condition'] {
  switch (matcher.kind) {
    case 'present':
      return { must_not: [{ is_empty: { key } }] };
    case 'null':
      return { is_null: { key } };
    case 'text':
    case 'boolean':
      return { key, match: { value: matcher.value } };
    case 'number':
      // A range, of whole numbers as well: that is what an index of numbers serves (metadata-indexes.ts).
      return { key, range: boundsOf(matcher, (limit) => limit) };
    case 'date':
      return { key, range: boundsOf(matcher, formatInstant) };
  }
}

function boundsOf<T>(bounds: Bounds<number>, write: (limit: number) => T): Bounds<T> {
  const limits = (['gt', 'gte', 'lt', 'lte'] as const).flatMap((name) => {
    const limit = bounds[name];
    return limit === undefined ? [] : [[name, write(limit)]];
  });
  return Object.fromEntries(limits) as Bounds<T>;
}

import type { Schemas } from '@qdrant/js-client-rest';
import { EmbedlineError } from '../../errors.ts';
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

/** One way in which a condition can hold: what Qdrant is asked, and of which key. */
export interface Alternative {
  readonly key: string;
  readonly kind: ValueMatcher['kind'];
  readonly ask: Schemas['Condition'];
}

/** Conditions on metadata fields, or on fields of the point itself. */
export function toFilter(filter: SearchFilter): Filter {
  return { must: filter.map((condition) => toCondition(condition, alternativesOf(condition))) };
}

/** A condition, from those of its alternatives that are to be asked. */
export function toCondition(
  { negated }: FilterCondition,
  alternatives: readonly Alternative[],
): Schemas['Condition'] {
  const asked = alternatives.map(({ ask }) => ask);
  if (negated) return { must_not: asked };
  const [only] = asked;
  return only !== undefined && asked.length === 1 ? only : { should: asked };
}

export function alternativesOf({ field, anyOf }: FilterCondition): Alternative[] {
  const keys = POINT_FIELDS.has(field) ? [field, metadataKey(field)] : [metadataKey(field)];
  return keys.flatMap((key) => anyOf.flatMap((matcher) => alternatives(key, matcher)));
}

/**
 * Where a metadata field is in a payload, as paths of Qdrant are written: names in quotes, without any escapes.
 * @throws EmbedlineError USAGE for a name that such a path cannot hold
 */
export function metadataKey(field: string): string {
  if (/^[\w-]+$/.test(field)) return `metadata.${field}`;
  if (isInPath(field)) return `metadata."${field}"`;
  throw new EmbedlineError(
    'USAGE',
    `Qdrant cannot filter by ${JSON.stringify(field)}: names of fields must not hold a double quote or a backslash there. ` +
      `Keep the field under another name with --metadata-fields NAME=FIELD, and ingest again.`,
  );
}

/** Whether a path of Qdrant can name this field. */
export function isInPath(field: string): boolean {
  return field !== '' && !/["\\]/.test(field);
}

function alternatives(key: string, matcher: ValueMatcher): Alternative[] {
  const { kind } = matcher;
  // A null may be an element of a list as well.
  if (kind === 'null')
    return [key, `${key}[]`].map((at) => ({ key: at, kind, ask: { is_null: { key: at } } }));
  return [{ key, kind, ask: question(key, matcher) }];
}

function question(key: string, matcher: Exclude<ValueMatcher, { kind: 'null' }>): Schemas['Condition'] {
  switch (matcher.kind) {
    case 'present':
      return { must_not: [{ is_empty: { key } }] };
    case 'text':
    case 'boolean':
      return { key, match: { value: matcher.value } };
    case 'number':
      // A range, of whole numbers as well: that is what an index of numbers serves (metadata-indexes.ts).
      return { key, range: boundsOf(matcher) };
    case 'date':
      return { key, range: boundsOf(matcher) };
  }
}

function boundsOf<T>(bounds: Bounds<T>): Bounds<T> {
  const limits = (['gt', 'gte', 'lt', 'lte'] as const).flatMap((name) => {
    const limit = bounds[name];
    return limit === undefined ? [] : [[name, limit]];
  });
  return Object.fromEntries(limits) as Bounds<T>;
}

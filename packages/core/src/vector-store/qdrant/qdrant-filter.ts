import type { Schemas } from '@qdrant/js-client-rest';
import type { MetadataScalar } from '../../document.ts';
import type { SearchFilter } from '../vector-store.ts';

type Filter = Schemas['Filter'];

/** Payload fields of a point that a filter may name besides those of its metadata. */
const POINT_FIELDS = new Set(['document_id', 'pipeline', 'title']);

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
  return { must: Object.entries(filter).map(([field, value]) => toCondition(field, value)) };
}

function toCondition(field: string, value: MetadataScalar): Schemas['Condition'] {
  const key = POINT_FIELDS.has(field)
    ? field
    : `metadata.${/^[\w-]+$/.test(field) ? field : JSON.stringify(field)}`;
  if (value === null) return { is_null: { key } };
  if (typeof value === 'number' && !Number.isInteger(value))
    return { key, range: { gte: value, lte: value } };
  return { key, match: { value } };
}

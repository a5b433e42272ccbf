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

/** Where a metadata field is in a payload, as paths of Qdrant are written. */
export function metadataKey(field: string): string {
  return `metadata.${/^[\w-]+$/.test(field) ? field : JSON.stringify(field)}`;
}

function toCondition(field: string, value: MetadataScalar): Schemas['Condition'] {
  const key = POINT_FIELDS.has(field) ? field : metadataKey(field);
  if (value === null) return { is_null: { key } };
  // A range, of whole numbers as well: that is what an index of numbers serves (metadata-indexes.ts).
  if (typeof value === 'number') return { key, range: { gte: value, lte: value } };
  return { key, match: { value } };
}

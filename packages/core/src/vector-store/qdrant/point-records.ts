import type { Schemas } from '@qdrant/js-client-rest';
import { fromPayload, type PointPayload } from '../payload.ts';
import type { SearchHit, StoredFingerprint, StoredPoint } from '../vector-store.ts';
import { VECTOR_NAME } from './write-bodies.ts';

/** What {@link toFingerprint} reads. */
export const FINGERPRINT_FIELDS = ['text_hash', 'payload_hash', 'document_mark'];

export function toFingerprint({ id, payload }: Schemas['Record']): StoredFingerprint {
  const { text_hash, payload_hash, document_mark } = payload as unknown as PointPayload;
  return {
    id: String(id),
    textHash: text_hash,
    payloadHash: payload_hash,
    documentMark: document_mark ?? null,
  };
}

export function toStoredPoint({ id, payload, vector }: Schemas['Record']): StoredPoint {
  const stored = payload as unknown as PointPayload;
  const numbers = (vector as Record<string, number[]> | null)?.[VECTOR_NAME] ?? [];
  return {
    chunk: fromPayload(String(id), stored),
    vector: Float32Array.from(numbers),
    runSequence: stored.run_sequence,
    ...(stored.stale === true ? { stale: true } : {}),
  };
}

export function toHit({ id, score, payload }: Schemas['ScoredPoint']): SearchHit {
  const stored = payload as unknown as PointPayload;
  const chunk = fromPayload(String(id), stored);
  const { documentId, chunkIndex, text, title, start, end, metadata } = chunk;
  const hit = { id: chunk.id, score, documentId, chunkIndex, text, title, start, end, metadata };
  return stored.stale === true ? { ...hit, stale: true } : hit;
}

import type { Schemas } from '@qdrant/js-client-rest';
import { readPayload, toHit, toStoredPoint } from '../stored-payload.ts';
import { numberOf } from '../stored-scalar.ts';
import { readFingerprint } from '../stored-point.ts';
import type { SearchHit, StoredFingerprint, StoredPoint } from '../vector-store.ts';
import { VECTOR_NAME } from './write-bodies.ts';

/** What {@link toFingerprint} reads. */
export const FINGERPRINT_FIELDS = ['text_hash', 'payload_hash', 'document_mark'];

export function toFingerprint({ id, payload }: Schemas['Record']): StoredFingerprint {
  return readFingerprint(id, {
    textHash: payload?.['text_hash'],
    payloadHash: payload?.['payload_hash'],
    documentMark: payload?.['document_mark'],
  });
}

export function readRecord({ id, payload, vector }: Schemas['Record']): StoredPoint | null {
  const numbers: unknown = (vector as Record<string, unknown> | null | undefined)?.[VECTOR_NAME];
  return toStoredPoint(
    String(id),
    readPayload(withNumbers(payload)),
    Float32Array.from(Array.isArray(numbers) ? numbers.map(numberOf) : []),
  );
}

export function readScored({ id, score, payload }: Schemas['ScoredPoint']): SearchHit | null {
  return toHit(String(id), score, readPayload(withNumbers(payload)));
}

/** Qdrant's client reads whole numbers beyond 2^53 as BigInt. They were written as numbers, and become the same numbers again. */
function withNumbers(payload: Schemas['Record']['payload']): unknown {
  const metadata: unknown = payload?.['metadata'];
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return payload;
  const fields = Object.entries(metadata).map(
    ([name, value]: [string, unknown]) =>
      [name, Array.isArray(value) ? value.map(numberOfBigInt) : numberOfBigInt(value)] as const,
  );
  return { ...payload, metadata: Object.fromEntries(fields) };
}

function numberOfBigInt(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

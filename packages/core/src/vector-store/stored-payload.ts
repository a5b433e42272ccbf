import { z } from 'zod';
import type { Metadata } from '../document.ts';
import { storedChunkIndex, storedOffset, storedTokens } from '../stored-numbers.ts';
import { fromPayload, type PointPayload } from './payload.ts';
import { isMetadata } from './stored-point.ts';
import type { SearchHit, SearchQuery, StoredPoint } from './vector-store.ts';

/** Far above what embedline writes: a chunk, its title and 64 KiB of metadata. */
const MAX_PAYLOAD_CHARACTERS = 64 * 1024 * 1024;

const payloadSchema = z.looseObject({
  pipeline: z.string(),
  document_id: z.string(),
  chunk_index: storedChunkIndex,
  text: z.string(),
  embedded_text: z.string().optional(),
  title: z.string().nullable(),
  start: storedOffset,
  end: storedOffset,
  tokens: storedTokens,
  metadata: z.custom<Metadata>(isMetadata),
  text_hash: z.string(),
  payload_hash: z.string(),
  run_sequence: z.int(),
});

/** A payload as a store gives it back, or null when embedline cannot have written it. */
export function readPayload(value: unknown): PointPayload | null {
  return payloadSchema.safeParse(value).success ? (value as PointPayload) : null;
}

/** As {@link readPayload}, from JSON. */
export function parsePayload(text: unknown): PointPayload | null {
  if (typeof text !== 'string' || text.length > MAX_PAYLOAD_CHARACTERS) return null;
  try {
    return readPayload(JSON.parse(text));
  } catch {
    return null;
  }
}

/** A search result, or null when its payload is not one of embedline's. */
export function toHit(id: string, score: number, payload: PointPayload | null): SearchHit | null {
  if (payload === null || !Number.isFinite(score)) return null;
  const { documentId, chunkIndex, text, title, start, end, metadata } = fromPayload(id, payload);
  const hit = { id, score, documentId, chunkIndex, text, title, start, end, metadata };
  return payload.stale === true ? { ...hit, stale: true } : hit;
}

/** A whole point, or null when its payload is not one of embedline's. */
export function toStoredPoint(
  id: string,
  payload: PointPayload | null,
  vector: Float32Array,
): StoredPoint | null {
  if (payload === null) return null;
  return {
    chunk: fromPayload(id, payload),
    vector,
    runSequence: payload.run_sequence,
    ...(payload.stale === true ? { stale: true } : {}),
  };
}

/** The points that are embedline's, by id. */
export function pointsById(points: readonly (StoredPoint | null)[]): Map<string, StoredPoint> {
  return new Map(points.flatMap((point) => (point === null ? [] : [[point.chunk.id, point] as const])));
}

/** The hits that can be shown. @param onDamaged told the id of each that cannot */
export function hitsOf(
  found: readonly (readonly [id: string, hit: SearchHit | null])[],
  onDamaged: SearchQuery['onDamaged'],
): SearchHit[] {
  return found.flatMap(([id, hit]) => {
    if (hit === null) onDamaged?.(id);
    return hit === null ? [] : [hit];
  });
}

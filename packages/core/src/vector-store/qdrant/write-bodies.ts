import type { ChunkRecord } from '../../document.ts';
import { STALE_PAYLOAD_HASH, toPayload } from '../payload.ts';
import type { Point, StalePoint } from '../vector-store.ts';
import { notNewerThan } from './qdrant-filter.ts';
import { vectorJson } from './vector-json.ts';

/** The name of the one vector of a point; named from the start, so that others can be added later. */
export const VECTOR_NAME = 'dense';

/** Measured: larger requests are no faster. */
const MAX_ITEMS_PER_REQUEST = 256;
/** The server refuses 32 MiB; staff advise far less. */
const MAX_BYTES_PER_REQUEST = 8 * 1024 * 1024;

/**
 * Bodies of upserts, bounded by count and by bytes, each made when it is asked for: no more of them are held than are
 * under way. A point larger than the bound has a request of its own.
 */
export function upsertBodies(points: readonly Point[], runSequence: number): Generator<Buffer> {
  // The fence: a point that a later run wrote is left as it is.
  const head = `{"update_filter":${JSON.stringify(notNewerThan(runSequence))},"points":[`;
  return split(points, (point) => pointJson(point, runSequence), head, ']}');
}

const POINT_TAIL = Buffer.from('}}');

function pointJson({ chunk, vector, stale }: Point, runSequence: number): Buffer[] {
  const payload = JSON.stringify(toPayload(chunk, runSequence, stale));
  const front = `{"id":${JSON.stringify(chunk.id)},"payload":${payload},"vector":{"${VECTOR_NAME}":`;
  return [Buffer.from(front), vectorJson(vector), POINT_TAIL];
}

/** Bodies of batches that overwrite payloads, bounded and made in the same way. */
export function payloadBodies(chunks: readonly ChunkRecord[], runSequence: number): Generator<Buffer> {
  return split(chunks, (chunk) => [overwriteJson(chunk, runSequence)], '{"operations":[', ']}');
}

/** By filter and not by id: an id that is not there is no error then, and the fence applies. */
function overwriteJson(chunk: ChunkRecord, runSequence: number): Buffer {
  const filter = { must: [{ has_id: [chunk.id] }, ...notNewerThan(runSequence).must] };
  return Buffer.from(
    JSON.stringify({ overwrite_payload: { payload: toPayload(chunk, runSequence), filter } }),
  );
}

/** Bodies of batches that mark points as stale, bounded and made in the same way. */
export function staleBodies(points: readonly StalePoint[], runSequence: number): Generator<Buffer> {
  return split(points, (point) => [staleJson(point, runSequence)], '{"operations":[', ']}');
}

/** The text is part of the filter: a worker that was late may have written the right point in between. */
function staleJson({ id, textHash }: StalePoint, runSequence: number): Buffer {
  const hasText = { key: 'text_hash', match: { value: textHash } };
  const filter = { must: [{ has_id: [id] }, hasText, ...notNewerThan(runSequence).must] };
  const payload = { payload_hash: STALE_PAYLOAD_HASH, stale: true };
  return Buffer.from(JSON.stringify({ set_payload: { payload, filter } }));
}

const SEPARATOR = Buffer.from(',');

function* split<T>(
  items: readonly T[],
  toJson: (item: T) => readonly Buffer[],
  head: string,
  tail: string,
): Generator<Buffer> {
  let parts: Buffer[] = [];
  let [count, bytes] = [0, 0];
  const body = () => Buffer.concat([Buffer.from(head), ...parts, Buffer.from(tail)]);
  for (const item of items) {
    const json = toJson(item);
    const size = json.reduce((sum, { length }) => sum + length, 0);
    if (count >= MAX_ITEMS_PER_REQUEST || (count > 0 && bytes + size > MAX_BYTES_PER_REQUEST)) {
      yield body();
      parts = [];
      [count, bytes] = [0, 0];
    }
    if (count > 0) parts.push(SEPARATOR);
    for (const part of json) parts.push(part);
    count += 1;
    bytes += size;
  }
  if (count > 0) yield body();
}

import { toPayload } from '../payload.ts';
import type { Point } from '../vector-store.ts';
import { notNewerThan } from './qdrant-filter.ts';
import { vectorJson } from './vector-json.ts';

/** The name of the one vector of a point; named from the start, so that others can be added later. */
export const VECTOR_NAME = 'dense';

/** Measured: larger requests are no faster. */
export const MAX_POINTS_PER_REQUEST = 256;
/** The server refuses 32 MiB; staff advise far less. */
const MAX_BYTES_PER_REQUEST = 8 * 1024 * 1024;

const SEPARATOR = Buffer.from(',');
const POINT_TAIL = Buffer.from('}}');
const TAIL = Buffer.from(']}');

/**
 * Bodies of upserts, bounded by count and by bytes, each made when it is asked for: no more of them are held than are
 * under way. A point larger than the bound has a request of its own.
 */
export function* upsertBodies(points: readonly Point[], runSequence: number): Generator<Buffer> {
  // The fence: a point that a later run wrote is left as it is.
  const head = Buffer.from(`{"update_filter":${JSON.stringify(notNewerThan(runSequence))},"points":[`);
  let parts: Buffer[] = [head];
  let [count, bytes] = [0, 0];
  for (const point of points) {
    const [front, vector] = pointJson(point, runSequence);
    const size = front.length + vector.length;
    if (count >= MAX_POINTS_PER_REQUEST || (count > 0 && bytes + size > MAX_BYTES_PER_REQUEST)) {
      yield Buffer.concat([...parts, TAIL]);
      parts = [head];
      [count, bytes] = [0, 0];
    }
    if (count > 0) parts.push(SEPARATOR);
    parts.push(front, vector, POINT_TAIL);
    count += 1;
    bytes += size;
  }
  if (count > 0) yield Buffer.concat([...parts, TAIL]);
}

/** A point up to its vector, and the vector. */
function pointJson({ chunk, vector }: Point, runSequence: number): [Buffer, Buffer] {
  const payload = JSON.stringify(toPayload(chunk, runSequence));
  const front = `{"id":${JSON.stringify(chunk.id)},"payload":${payload},"vector":{"${VECTOR_NAME}":`;
  return [Buffer.from(front), vectorJson(vector)];
}

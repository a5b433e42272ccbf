import type { DatabaseSync } from 'node:sqlite';
import { hitsOf, parsePayload, toHit } from '../stored-payload.ts';
import type { SearchHit, SearchQuery } from '../vector-store.ts';
import { signBits, toBytes } from './database.ts';
import { toSql, type SqlCondition } from './sql-filter.ts';

/** Up to here, comparing with every vector is quick enough. */
const EXACT_UP_TO_POINTS = 20_000;

/** The functions refuse what is not a vector of this size; such a damaged row comes last, and ends no search. */
const COSINE = `CASE WHEN typeof(v) = 'blob' AND length(v) = ? THEN vec_distance_cosine(v, ?) END`;
const HAMMING = `CASE WHEN typeof(b) = 'blob' AND length(b) = ? THEN vec_distance_hamming(vec_bit(b), vec_bit(?)) END`;

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
          `SELECT p.pk, ${COSINE} AS distance FROM point p CROSS JOIN vec ON vec.pk = p.pk
           WHERE ${filter.sql} ORDER BY distance NULLS LAST LIMIT ?`,
        )
        .all(bytes.length, bytes, ...filter.values, limit)
    : nearestOfCandidates(database, query.vector, filter, candidateCount(total, query), limit);
  const payload = database.prepare('SELECT id, payload FROM point WHERE pk = ?');
  const found = nearest.flatMap((row) => {
    const point = payload.get(Number(row['pk']));
    if (point === undefined) return [];
    const id = String(point['id']);
    const score = row['distance'] === null ? Number.NaN : 1 - Number(row['distance']);
    return [[id, toHit(id, score, parsePayload(point['payload']))] as const];
  });
  return hitsOf(found, query.onDamaged);
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
  const bits = signBits(vector);
  const bytes = toBytes(vector);
  const rows = database
    .prepare(
      `SELECT bit.pk FROM ${filter.values.length === 0 ? 'bit' : 'point p CROSS JOIN bit ON bit.pk = p.pk'}
       WHERE ${filter.sql} ORDER BY ${HAMMING} NULLS LAST LIMIT ?`,
    )
    .all(...filter.values, bits.length, bits, candidates);
  return database
    .prepare(
      `SELECT pk, ${COSINE} AS distance FROM vec
       WHERE pk IN (SELECT value FROM json_each(?)) ORDER BY distance NULLS LAST LIMIT ?`,
    )
    .all(bytes.length, bytes, JSON.stringify(rows.map((row) => row['pk'])), limit);
}

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { ChunkRecord } from '../../document.ts';
import { EmbedlineError } from '../../errors.ts';
import type { Patience } from '../../outages.ts';
import { assertPoints } from '../assert-point.ts';
import { pointsById } from '../stored-payload.ts';
import type {
  CountOptions,
  Generation,
  GenerationPoints,
  Health,
  Point,
  ReadOptions,
  ScannedPoint,
  ScanOptions,
  SearchHit,
  SearchQuery,
  StalePoint,
  StoredFingerprint,
  StoredPoint,
  WriteOptions,
} from '../vector-store.ts';
import { signBits, toBytes, toVector, whenFree, writeTransaction } from './database.ts';
import { FilePlace } from './file-place.ts';
import {
  columns,
  COUNT_CONTRADICTIONS,
  COUNT_ROWS,
  examineRows,
  MARK_STALE,
  readRow,
  SOUND_PAYLOAD,
  toFingerprint,
  UPDATE_POINT,
  UPSERT_POINT,
} from './point-rows.ts';
import { searchPoints } from './search.ts';
import { toSql } from './sql-filter.ts';

/** Points per transaction: long enough to amortise the commit, short enough that other writers get their turn. */
const POINTS_PER_TRANSACTION = 256;
const SCAN_PAGE = 5_000;

/** The points of one generation: one SQLite file, shared by any number of processes on one machine. */
export class SqlitePoints implements GenerationPoints {
  readonly generation: Generation;
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #place: FilePlace;
  readonly #patience: Patience;
  readonly #statements = new Map<string, StatementSync>();
  #closed = false;

  constructor(database: DatabaseSync, file: string, generation: Generation, patience: Patience) {
    this.#database = database;
    this.#file = file;
    this.#place = new FilePlace(file);
    this.#patience = patience;
    this.generation = generation;
  }

  async fingerprints(
    ids: readonly string[],
    options: ReadOptions = {},
  ): Promise<Map<string, StoredFingerprint>> {
    const rows = await this.#all(
      `SELECT id, text_hash, payload_hash, document_mark FROM point WHERE id IN (SELECT value FROM json_each(?))`,
      [JSON.stringify(ids)],
      options,
    );
    return new Map(rows.map((row) => [String(row['id']), toFingerprint(row)]));
  }

  async findByTextHash(hashes: readonly string[], options: ReadOptions = {}): Promise<Map<string, string>> {
    const rows = await this.#all(
      `SELECT text_hash, min(id) AS id FROM point WHERE text_hash IN (SELECT value FROM json_each(?)) GROUP BY text_hash`,
      [JSON.stringify(hashes)],
      options,
    );
    return new Map(rows.map((row) => [String(row['text_hash']), String(row['id'])]));
  }

  async retrieve(ids: readonly string[], options: ReadOptions = {}): Promise<Map<string, StoredPoint>> {
    const rows = await this.#all(
      `SELECT id, payload, v FROM point JOIN vec USING(pk) WHERE id IN (SELECT value FROM json_each(?))`,
      [JSON.stringify(ids)],
      options,
    );
    return pointsById(rows.map(readRow));
  }

  async upsert(points: readonly Point[], options: WriteOptions): Promise<void> {
    assertPoints(points, this.generation);
    await this.#inSlices(points, options, (point) => {
      const row = this.#statement(UPSERT_POINT).get(
        ...columns(point.chunk, options.runSequence, point.stale),
      );
      if (row === undefined) return;
      const pk = Number(row['pk']);
      this.#statement('INSERT INTO vec VALUES (?, ?) ON CONFLICT(pk) DO UPDATE SET v = excluded.v').run(
        pk,
        toBytes(point.vector),
      );
      this.#statement('INSERT INTO bit VALUES (?, ?) ON CONFLICT(pk) DO UPDATE SET b = excluded.b').run(
        pk,
        signBits(point.vector),
      );
    });
  }

  async updatePayloads(chunks: readonly ChunkRecord[], options: WriteOptions): Promise<void> {
    await this.#inSlices(chunks, options, (chunk) => {
      this.#statement(UPDATE_POINT).run(...columns(chunk, options.runSequence));
    });
  }

  async markStale(points: readonly StalePoint[], options: WriteOptions): Promise<void> {
    await this.#inSlices(points, options, ({ id, textHash }) => {
      this.#statement(MARK_STALE).run(id, textHash, options.runSequence);
    });
  }

  async delete(ids: readonly string[], options: WriteOptions): Promise<void> {
    await this.#inSlices(ids, options, (id) => {
      const row = this.#statement('DELETE FROM point WHERE id = ? AND run_sequence <= ? RETURNING pk').get(
        id,
        options.runSequence,
      );
      if (row === undefined) return;
      this.#statement('DELETE FROM vec WHERE pk = ?').run(Number(row['pk']));
      this.#statement('DELETE FROM bit WHERE pk = ?').run(Number(row['pk']));
    });
  }

  async *scan(options: ScanOptions = {}): AsyncGenerator<readonly ScannedPoint[]> {
    const { pipeline, documentId, withStart = false } = options;
    const start = withStart ? `, json_extract(${SOUND_PAYLOAD}, '$.start') AS start` : '';
    const conditions = [
      '(pipeline, document_id, chunk_index, id) > (?, ?, ?, ?)',
      ...(pipeline === undefined ? [] : ['pipeline = ?']),
      ...(documentId === undefined ? [] : ['document_id = ?']),
    ];
    const sql =
      `SELECT id, pipeline, document_id, chunk_index${start} FROM point WHERE ${conditions.join(' AND ')} ` +
      `ORDER BY pipeline, document_id, chunk_index, id LIMIT ${SCAN_PAGE}`;
    const wanted = [pipeline, documentId].filter((value) => value !== undefined);
    let after: SQLInputValue[] = [pipeline ?? '', documentId ?? '', -1, ''];
    for (;;) {
      const rows = await this.#all(sql, [...after, ...wanted], options);
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows.map((row) => ({
        id: String(row['id']),
        documentId: String(row['document_id']),
        chunkIndex: Number(row['chunk_index']),
        ...(withStart ? { start: Number(row['start']) } : {}),
      }));
      const { pipeline: inPipeline, document_id, chunk_index, id } = last;
      // As they are: a blob is after every text, whatever it would be as one.
      after = [inPipeline, document_id, chunk_index, id] as SQLInputValue[];
      await yieldToEventLoop();
    }
  }

  async count(options: CountOptions = {}): Promise<number> {
    const { pipeline, filter = [] } = options;
    const { sql, values } = toSql(filter, this.#database);
    // Readers may end with a generation that was dropped meanwhile; who counts decides by it what is published.
    this.#place.assertUnmoved();
    const rows =
      pipeline === undefined
        ? await this.#all(`SELECT count(*) AS n FROM point p WHERE ${sql}`, values, options)
        : await this.#all(
            `SELECT count(*) AS n FROM point p WHERE pipeline = ? AND ${sql}`,
            [pipeline, ...values],
            options,
          );
    return Number(rows[0]?.['n'] ?? 0);
  }

  async search(query: SearchQuery): Promise<readonly SearchHit[]> {
    this.#assertOpen(query.signal);
    return this.#read(() => searchPoints(this.#database, query), query.signal);
  }

  async health(options: ReadOptions = {}): Promise<Health> {
    const [check] = await this.#all('PRAGMA quick_check(1)', [], options);
    const complaint = String(check?.['quick_check']);
    if (complaint !== 'ok') return { healthy: false, detail: `SQLite finds: ${complaint}` };
    return examineRows(await this.#all(COUNT_ROWS, [], options), await this.#countContradictions(options));
  }

  /** Rows whose columns or sign bits are not those of their payload and vector: something else has written them. */
  async #countContradictions(options: ReadOptions): Promise<number> {
    this.#database.function('sign_bits', { deterministic: true }, (vector) => signBits(toVector(vector)));
    const [row] = await this.#all(COUNT_CONTRADICTIONS, [], options);
    return Number(row?.['n']);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    this.#database.close();
  }

  async #inSlices<T>(items: readonly T[], { signal }: WriteOptions, write: (item: T) => void): Promise<void> {
    this.#assertOpen(signal);
    for (let start = 0; start < items.length; start += POINTS_PER_TRANSACTION) {
      const slice = items.slice(start, start + POINTS_PER_TRANSACTION);
      const transaction = () =>
        writeTransaction(this.#database, this.#file, () => slice.forEach(write), signal);
      await this.#patience.waitOut(transaction, signal);
      this.#place.assertUnmoved();
      await yieldToEventLoop();
      this.#assertOpen(signal);
    }
  }

  async #all(
    sql: string,
    values: readonly SQLInputValue[],
    { signal }: ReadOptions,
  ): Promise<Record<string, unknown>[]> {
    this.#assertOpen(signal);
    return this.#read(() => this.#statement(sql).all(...values), signal);
  }

  #read<T>(read: () => T, signal: AbortSignal | undefined): Promise<T> {
    return this.#patience.waitOut(() => whenFree(this.#file, read, signal), signal);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #assertOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw new EmbedlineError('CLOSED', `Generation ${this.generation.name} was closed.`);
  }
}

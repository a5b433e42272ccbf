import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseFilters, type GenerationPoints } from '@embedline/core';
import { toPayload } from '../../packages/core/src/vector-store/payload.ts';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { chunkOf, MANIFEST, pointOf, vectorOf } from '../support/points.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** Opens a generation, and a way to write payloads into it behind embedline's back. */
interface Forgery {
  readonly points: GenerationPoints;
  readonly forge: (id: string, payload: unknown) => Promise<void>;
}

async function qdrant(): Promise<Forgery> {
  const double = await startQdrantDouble();
  onTestFinished(() => double.close());
  const store = await openQdrantStore({ url: double.url });
  onTestFinished(() => store.close());
  const generation = await store.createGeneration('docs', MANIFEST);
  return {
    points: await store.open(generation),
    forge: async (id, payload) => {
      const body = { points: [{ id, payload, vector: { dense: [...vectorOf('forged')] } }] };
      const url = `${double.url}/collections/${generation.name}/points?wait=true`;
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'PUT', headers, body: JSON.stringify(body) });
      expect(answer.status).toBe(200);
    },
  };
}

async function openSqlite() {
  const directory = await temporaryDirectory();
  const store = await openSqliteStore({ directory });
  onTestFinished(() => store.close());
  const generation = await store.createGeneration('docs', MANIFEST);
  const points = await store.open(generation);
  onTestFinished(() => points.close());
  const change = (sql: string, ...values: (string | number | Uint8Array | null)[]) => {
    using database = new DatabaseSync(join(directory, `${generation.name}.db`));
    database.prepare(sql).run(...values);
  };
  return { points, change };
}

async function sqlite(): Promise<Forgery> {
  const { points, change } = await openSqlite();
  return {
    points,
    forge: async (id, payload) => {
      await points.upsert([pointOf('forged', 'forged')], { runSequence: 1 });
      change(
        'UPDATE point SET id = ?, payload = ? WHERE document_id = ?',
        id,
        JSON.stringify(payload),
        'forged',
      );
    },
  };
}

const ID = '00000000-0000-4000-8000-000000000000';
const sound = toPayload(chunkOf('forged', 'forged'), 1);
const WRONG: readonly (readonly [string, object])[] = [
  ['nothing in it', {}],
  ['a text that is a number', { ...sound, text: 5 }],
  ['a text that is an object', { ...sound, text: { a: 1 } }],
  ['no metadata', { ...sound, metadata: null }],
  ['metadata that is a list', { ...sound, metadata: ['x'] }],
  ['metadata that holds objects', { ...sound, metadata: { a: { b: 1 } } }],
  ['a title that is a list', { ...sound, title: ['x'] }],
  ['a document id that is null', { ...sound, document_id: null }],
  ['a chunk index that is a text', { ...sound, chunk_index: '0' }],
  ['an offset below zero', { ...sound, start: -1 }],
  ['an end that is no number', { ...sound, end: 'x' }],
];

describe.each([
  ['qdrant', qdrant],
  ['sqlite', sqlite],
])('14.13: %s: a point that embedline cannot have written', (_, open) => {
  test.each(WRONG)('ends no search, and is told: %s', async (_payload, payload) => {
    const { points, forge } = await open();
    await forge(ID, payload);
    await points.upsert([pointOf('sound', 'sound')], { runSequence: 1 });
    const damaged: string[] = [];
    const hits = await points.search({
      vector: vectorOf('forged'),
      onDamaged: (id) => damaged.push(id),
    });
    expect(hits.map(({ documentId }) => documentId)).toEqual(['sound']);
    expect(damaged).toEqual([ID]);
    expect((await points.retrieve([ID])).size).toBe(0);
  });
});

describe('14.13: sqlite: a row that embedline cannot have written', () => {
  test.each([
    ['a vector of another size', 'UPDATE vec SET v = ? WHERE pk = 1', new Uint8Array(8)],
    ['a vector of no whole numbers', 'UPDATE vec SET v = ? WHERE pk = 1', new Uint8Array(63)],
    ['a vector that is a text', 'UPDATE vec SET v = ? WHERE pk = 1', 'x'.repeat(64)],
    ['signs of another size', 'UPDATE bit SET b = ? WHERE pk = 1', new Uint8Array(1)],
    ['a payload that is not JSON', 'UPDATE point SET payload = ? WHERE pk = 1', '{"text":'],
    ['a payload that is a blob', 'UPDATE point SET payload = ? WHERE pk = 1', new Uint8Array(9)],
    ['an index beyond all numbers', 'UPDATE point SET chunk_index = ? WHERE pk = 1', 'x'],
  ])('ends neither a search, nor a filter, nor a look at the health: %s', async (_, sql, value) => {
    const { points, change } = await openSqlite();
    await points.upsert([pointOf('forged', 'forged')], { runSequence: 1 });
    await points.upsert([pointOf('sound', 'sound', { metadata: { year: 2009 } })], { runSequence: 1 });
    change(sql, value);
    const query = { vector: vectorOf('sound') };
    expect((await points.search(query))[0]?.documentId).toBe('sound');
    const filtered = await points.search({ ...query, filter: parseFilters(['year=2009']) });
    expect(filtered.map(({ documentId }) => documentId)).toEqual(['sound']);
    await points.retrieve([chunkOf('forged', 'forged').id]);
    for await (const page of points.scan({ withStart: true })) expect(page.length).toBeGreaterThan(0);
    expect(await points.health()).toMatchObject({ healthy: false });
  });
});

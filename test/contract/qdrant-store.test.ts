import { parseFilters, whereEqual, type GenerationPoints, type MetadataScalar } from '@embedline/core';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { MANIFEST, pointOf, vectorOf } from '../support/points.ts';
import { startQdrantDouble, type Fault, type QdrantDoubleOptions } from '../support/qdrant-double/server.ts';
import { findRealQdrant } from '../support/real-qdrant.ts';
import { describeVectorStore } from './vector-store.contract.ts';

const shared = await startQdrantDouble();
afterAll(() => shared.close());
describeVectorStore('qdrant (double)', () => openQdrantStore({ url: shared.url }));

const real = await findRealQdrant();
if ('url' in real) {
  const { url, apiKey } = real;
  afterAll(() => real.close());
  describeVectorStore('qdrant (real)', () =>
    openQdrantStore({ url, ...(apiKey === undefined ? {} : { apiKey }) }),
  );
} else {
  process.stderr.write(`The contract is not tested against a real Qdrant: ${real.missing}.\n`);
}

async function startDouble(options: QdrantDoubleOptions = {}) {
  const double = await startQdrantDouble(options);
  onTestFinished(() => double.close());
  return double;
}

interface OpenSettings extends QdrantDoubleOptions {
  /** Gets the delays that were asked for; nobody waits for them. */
  readonly slept?: number[];
  readonly onWarning?: (message: string) => void;
}

async function openPoints({ slept = [], onWarning = () => undefined, ...options }: OpenSettings = {}) {
  const double = await startDouble(options);
  const sleep = (delayMs: number) => {
    slept.push(delayMs);
    return Promise.resolve();
  };
  const store = await openQdrantStore({ url: double.url, sleep, timeoutMs: 2_000, onWarning });
  onTestFinished(() => store.close());
  const generation = await store.createGeneration('docs', MANIFEST);
  return { double, store, generation, points: await store.open(generation) };
}

const json = (
  status: number,
  message: string,
  headers: Record<string, string> = {},
): NonNullable<Fault['answer']> => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ status: { error: message }, time: 0 }),
});
const upserts = /^PUT .*\/points$/;

describe('qdrant: faults that pass', () => {
  const passing: [string, Omit<Fault, 'on'>][] = [
    ['500', { answer: json(500, 'Service internal error') }],
    ['503', { answer: json(503, 'Service temporarily unavailable') }],
    ['408', { answer: json(408, 'Timeout') }],
    [
      'a gateway page',
      { answer: { status: 502, headers: { 'content-type': 'text/html' }, body: '<html>Bad gateway</html>' } },
    ],
    ['reset before the write', { reset: 'before' }],
    ['reset after the write', { reset: 'after' }],
    ['acknowledged but not applied', { writeStatus: 'acknowledged' }],
    ['wait_timeout', { writeStatus: 'wait_timeout' }],
    ['no answer', { hang: true }],
  ];
  test.each(passing)('%s: the upsert is repeated and counts once', async (_, fault) => {
    const { double, points } = await openPoints();
    double.inject({ ...fault, on: upserts, times: 2 });
    await points.upsert([pointOf('a', 'text')], { runSequence: 1 });
    expect(await points.count()).toBe(1);
    expect(double.journal.filter((entry) => upserts.test(entry))).toHaveLength(3);
  });

  test('429: waits as long as Retry-After says, beyond its first digit', async () => {
    const slept: number[] = [];
    const { double, points } = await openPoints({ slept });
    double.inject({ on: upserts, answer: json(429, 'Rate limiting exceeded', { 'retry-after': '60' }) });
    await points.upsert([pointOf('a', 'text')], { runSequence: 1 });
    expect(Math.max(...slept)).toBeGreaterThan(59_000);
  });
});

describe('qdrant: faults that stay', () => {
  const staying: [string, NonNullable<Fault['answer']>, string, boolean][] = [
    ['400', json(400, 'Wrong input'), 'STORE_REJECTED', false],
    ['403', json(403, 'Forbidden'), 'STORE_UNAUTHORIZED', false],
    ['507', json(507, 'Quota exceeded'), 'STORE_FULL', true],
    [
      '500 for a full disk',
      json(500, 'No space left on device: WAL buffer size exceeds available disk space'),
      'STORE_FULL',
      true,
    ],
    ['503 for ever', json(503, 'unavailable'), 'STORE_UNREACHABLE', true],
    [
      'a page of a proxy',
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Welcome</html>' },
      'STORE_UNREACHABLE',
      true,
    ],
  ];
  test.each(staying)('%s', async (_, answer, code, retryable) => {
    const { double, points } = await openPoints();
    double.inject({ on: upserts, times: 1000, answer });
    await expect(points.upsert([pointOf('a', 'text')], { runSequence: 1 })).rejects.toMatchObject({
      code,
      retryable,
    });
  });

  test('nobody there', async () => {
    const double = await startQdrantDouble();
    await double.close();
    await expect(openQdrantStore({ url: double.url })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/cannot be reached.*QDRANT_URL/s),
    });
  });

  test('a wrong key, and none', async () => {
    const double = await startDouble({ apiKey: 'right' });
    for (const options of [{ apiKey: 'wrong-key' }, {}]) {
      const opening = openQdrantStore({ url: double.url, ...options });
      await expect(opening).rejects.toMatchObject({
        code: 'STORE_UNAUTHORIZED',
        message: expect.stringMatching(/QDRANT_API_KEY/),
      });
      await expect(opening).rejects.not.toMatchObject({ message: expect.stringMatching(/wrong-key/) });
    }
    const store = await openQdrantStore({ url: double.url, apiKey: 'right' });
    const points = await store.open(await store.createGeneration('docs', MANIFEST));
    await points.upsert([pointOf('a', 'text')], { runSequence: 1 });
    expect(await points.count()).toBe(1);
    await store.close();
  });

  test('a server that is too old', async () => {
    const double = await startDouble({ version: '1.15.4' });
    await expect(openQdrantStore({ url: double.url })).rejects.toMatchObject({
      code: 'STORE_UNSUITABLE',
      message: expect.stringMatching(/1\.15\.4/),
    });
  });
});

test('a collection that embedline did not make keeps its name', async () => {
  const { double, store } = await openPoints();
  await fetch(`${double.url}/collections/theirs`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ vectors: { dense: { size: 4, distance: 'Dot' } } }),
  });
  await expect(store.createGeneration('theirs', MANIFEST)).rejects.toMatchObject({
    code: 'COLLECTION_INCOMPATIBLE',
  });
  expect(await store.generations('theirs')).toEqual([]);
});

test('a collection whose vectors are of another dimension is refused', async () => {
  const { double, store, generation } = await openPoints();
  const collection = double.state.collections.get(generation.name);
  if (collection?.vectors['dense'] !== undefined) collection.vectors['dense'].size = 3;
  await expect(store.open(generation)).rejects.toMatchObject({
    code: 'COLLECTION_INCOMPATIBLE',
    message: expect.stringMatching(/3 dimensions/),
  });
});

test('a generation whose creation was cut off is not visible', async () => {
  const { double, store } = await openPoints();
  double.inject({ on: /^PUT .*\/index$/, times: 1000, answer: json(400, 'cut off') });
  await expect(store.createGeneration('half', MANIFEST)).rejects.toMatchObject({ code: 'STORE_REJECTED' });
  expect(await store.generations('half')).toEqual([]);
});

describe('qdrant: filters on metadata', () => {
  const metadata = {
    year: 1999,
    price: 2,
    name: 'n',
    tags: [null, 'x'],
    yes: true,
    nothing: null,
    'a [b]': 'q',
  };

  const strictness = 'all';
  const indexings = /^PUT .*\/index$/;
  const found = async (points: GenerationPoints, filter: Record<string, MetadataScalar>) =>
    (await points.search({ vector: vectorOf('text'), filter: whereEqual(filter) })).map(
      ({ documentId }) => documentId,
    );

  test('each field is indexed once, before its first point, for a server that allows no other', async () => {
    const { double, store, generation, points } = await openPoints({ strictness });
    await points.upsert([pointOf('a', 'text', { metadata })], { runSequence: 1 });
    const others = { ...metadata, price: 2.5, year: 2000 };
    await points.upsert([pointOf('b', 'text', { metadata: others })], { runSequence: 1 });
    for (const filter of [{ year: 1999 }, { price: 2 }, { 'a [b]': 'q', year: 1999 }])
      expect(await found(points, filter)).toEqual(['a']);
    expect(await found(points, { price: 2.5 })).toEqual(['b']);
    for (const filter of [{ name: 'n' }, { tags: 'x' }, { yes: true }, { nothing: null }])
      expect(await found(points, filter)).toHaveLength(2);
    const before = double.journal.filter((request) => indexings.test(request)).length;
    const again = await store.open(generation);
    await again.updatePayloads([pointOf('a', 'text', { metadata: { year: 2001, isbn: '1' } }).chunk], {
      runSequence: 2,
    });
    expect(await found(again, { isbn: '1', year: 2001 })).toEqual(['a']);
    expect(double.journal.filter((request) => indexings.test(request))).toHaveLength(before + 1);
  });

  test('in strict mode a value that is not typed is looked for in the type that the index has', async () => {
    const { points } = await openPoints({ strictness });
    const fields = { year: 1999, code: '7', day: '2024-05-01' };
    await points.upsert([pointOf('a', 'text', { metadata: fields })], { runSequence: 1 });
    const search = async (...filters: string[]) => {
      const filter = parseFilters(filters);
      const hits = await points.search({ vector: vectorOf('text'), filter });
      expect(await points.count({ filter })).toBe(hits.length);
      return hits.length;
    };
    expect(await search('year=1999', 'code=7')).toBe(1);
    expect(await search('year!=1999')).toBe(0);
    expect(await search('day>=2024-05-01', 'day:date=2024-05-01')).toBe(1);
    await expect(search('year:text=1999')).rejects.toThrow(/Index required/);
    await expect(search('absent=1')).rejects.toThrow(/Index required/);
  });

  test('one that could not be made for now is made with the next points', async () => {
    const { double, points } = await openPoints({ strictness });
    double.inject({ on: indexings, times: 6, answer: json(503, 'unavailable') });
    const write = () => points.upsert([pointOf('a', 'text', { metadata })], { runSequence: 1 });
    await expect(write()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await write();
    expect(await found(points, { year: 1999 })).toEqual(['a']);
  });

  test('a server that makes no index takes the points all the same, and it is said once', async () => {
    const warnings: string[] = [];
    const { double, points } = await openPoints({
      strictness,
      onWarning: (message) => warnings.push(message),
    });
    double.inject({ on: indexings, times: 1000, answer: json(403, 'Forbidden') });
    for (const id of ['a', 'b']) await points.upsert([pointOf(id, 'text', { metadata })], { runSequence: 1 });
    expect(await points.count()).toBe(2);
    expect(warnings).toEqual([expect.stringMatching(/filter by year, price, .* will be slow.*Forbidden/)]);
  });
});

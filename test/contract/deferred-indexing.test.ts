import { expect, onTestFinished, test } from 'vitest';
import { QdrantConnection } from '../../packages/core/src/vector-store/qdrant/connection.ts';
import {
  deferIndexing,
  resumeIndexing,
} from '../../packages/core/src/vector-store/qdrant/deferred-indexing.ts';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { MANIFEST, pointOf } from '../support/points.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';

async function open() {
  const double = await startQdrantDouble();
  onTestFinished(() => double.close());
  const store = await openQdrantStore({ url: double.url });
  onTestFinished(() => store.close());
  const connection = new QdrantConnection({ url: double.url });
  onTestFinished(() => connection.close());
  const collectionOf = ({ name }: { name: string }) => {
    const found = double.state.collections.get(name);
    if (found === undefined) throw new Error(`There is no ${name}.`);
    return found;
  };
  return { double, store, connection, collectionOf };
}

test('a generation is indexed while it is loaded, unless it is asked for otherwise', async () => {
  const { double, store, collectionOf } = await open();
  const generation = await store.createGeneration('docs', MANIFEST);
  expect(collectionOf(generation).hnswM).toBe(16);
  await store.publish(generation);
  const changes = double.journal.filter((request) => request === `PATCH /collections/${generation.name}`);
  expect(changes).toHaveLength(3);
  expect(Object.keys(collectionOf(generation).metadata).join()).not.toContain('deferred');
});

test('an index that was deferred is there when readers see the generation', async () => {
  const { double, store, collectionOf } = await open();
  const generation = await store.createGeneration('docs', MANIFEST, { deferIndexing: true });
  const collection = collectionOf(generation);
  expect(collection.hnswM).toBe(0);
  const points = await store.open(generation);
  await points.upsert([pointOf('a', 'text')], { runSequence: 1 });
  const told: string[] = [];
  let vectorsWhenSeen: number | null = null;
  const { aliases } = double.state;
  aliases.set = function set(this: Map<string, string>, alias, target) {
    vectorsWhenSeen = collection.lookAtIndexing().vectors;
    return Map.prototype.set.call(this, alias, target) as typeof this;
  };
  await store.publish(generation, { onWaiting: (text) => void told.push(text) });
  expect(vectorsWhenSeen).toBe(1);
  expect(collection.hnswM).toBe(16);
  expect(told).toEqual([`Qdrant builds the index of ${generation.name}: 0 of 1 vectors`]);
  // Publishing again has nothing to put back.
  const before = double.journal.length;
  await store.publish(generation);
  expect(double.journal.slice(before).filter((request) => request.startsWith('PATCH'))).toHaveLength(1);
});

test('what was there before comes back, also when putting it back was cut off', async () => {
  const { double, store, connection, collectionOf } = await open();
  const generation = await store.createGeneration('docs', MANIFEST);
  const collection = collectionOf(generation);
  collection.update({ hnsw_config: { m: 32 } });
  await deferIndexing(connection, generation.name, undefined);
  expect(collection.hnswM).toBe(0);
  const stop = new AbortController();
  const cutOff = resumeIndexing(connection, generation.name, {
    signal: stop.signal,
    onWaiting: () => stop.abort(),
  });
  await expect(cutOff).rejects.toThrow();
  expect(collection.hnswM).toBe(32);
  await store.publish(generation);
  expect(collection.hnswM).toBe(32);
  expect(collection.metadata['embedline_deferred_hnsw_m']).toBeNull();
  expect(double.state.aliases.get('docs')).toBe(generation.name);
});

const looks: [string, object, object][] = [
  ['stands still', { status: 'yellow' }, { code: 'INDEXING_STALLED' }],
  [
    'fails',
    { status: 'red', optimizer_status: { error: 'No space left on device' } },
    { code: 'STORE_UNSUITABLE', message: expect.stringContaining('No space left on device') },
  ],
];
test.each(looks)('an index whose building %s is not waited for for ever', async (_, look, error) => {
  const { double, store, connection } = await open();
  const generation = await store.createGeneration('docs', MANIFEST, { deferIndexing: true });
  const config = { hnsw_config: { m: 16 }, metadata: { embedline_deferred_hnsw_m: 16 }, params: {} };
  const result = { points_count: 9, indexed_vectors_count: 3, segments_count: 1, ...look, config };
  double.inject({
    on: new RegExp(`^GET /collections/${generation.name}$`),
    times: Infinity,
    answer: { status: 200, body: JSON.stringify({ status: 'ok', time: 0, result }) },
  });
  const waiting = resumeIndexing(connection, generation.name, { pollMs: 1, stalledAfterMs: 50 });
  await expect(waiting).rejects.toMatchObject(error);
});

import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  decodeJob,
  EmbedlineError,
  encodeJob,
  type GenerationPoints,
  type VectorStore,
} from '@embedline/core';
import { TuningCache } from '../../packages/core/src/embedder/tuning/tuning-cache.ts';
import { findModelPlace } from '../../packages/core/src/embedder/model-places.ts';
import { findRunning } from '../../packages/core/src/redis/server-address.ts';
import { parseHolder } from '../../packages/core/src/run/lock-holder.ts';
import { parseSpec } from '../../packages/core/src/run/run-record.ts';
import { fromMetadata, toMetadata } from '../../packages/core/src/vector-store/qdrant/generation-metadata.ts';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { toPayload } from '../../packages/core/src/vector-store/payload.ts';
import { parsePayload, toHit } from '../../packages/core/src/vector-store/stored-payload.ts';
import { measuredRate } from '../../apps/producer/src/plan/measured-rates.ts';
import { hitJson, renderHits } from '../../apps/producer/src/terminal/hits.ts';
import { safeJson } from '../../apps/producer/src/terminal/safe-text.ts';
import { styleFor } from '../../apps/producer/src/terminal/style.ts';
import { mutateBytes, mutateText, mutateValue, pick, STEERING } from '../support/mutate.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { chunkOf, MANIFEST, pointOf, vectorOf } from '../support/points.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { treeOf } from '../support/tree.ts';
import { RUN } from '../support/run-of.ts';

/** Embedline's own errors are an answer, if nothing in them would steer a terminal but line ends. */
function assertOwn(error: unknown, what: () => string): void {
  expect(error instanceof EmbedlineError ? null : error, what()).toBeNull();
}

async function readAll(store: VectorStore, points: GenerationPoints, what: () => string): Promise<void> {
  const ids = [chunkOf('a', 'a').id, chunkOf('b', 'b').id];
  const scan = async () => {
    for await (const page of points.scan({ withStart: true })) if (page.length > 100) return;
  };
  const show = async () => {
    const hits = await points.search({ vector: vectorOf('a'), exact: true });
    const shown =
      renderHits('a', hits, styleFor({}, {})) + hits.map((hit) => safeJson(hitJson(hit))).join('');
    expect(STEERING.test(shown), what()).toBe(false);
  };
  const reads = [
    () => store.generations(),
    () => points.fingerprints(ids),
    () => points.retrieve(ids),
    () => points.findByTextHash([chunkOf('a', 'a').textHash]),
    () => points.count({ filter: [] }),
    () => points.health(),
    scan,
    show,
  ];
  for (const read of reads) await read().catch((error: unknown) => assertOwn(error, what));
}

const metadata = { year: 2009, tags: ['x', 'y'], when: '2024-01-02' };
const two = [pointOf('a', 'a', { title: 'A', metadata }), pointOf('b', 'b', { metadata })];

describe('fuzz of stored data', () => {
  test('SQLite: 400 changed rows of points and of the catalogue', async () => {
    const directory = await temporaryDirectory();
    const store = await openSqliteStore({ directory });
    onTestFinished(() => store.close());
    const generation = await store.createGeneration('docs', MANIFEST);
    await store.publish(generation);
    const points = await store.open(generation);
    onTestFinished(() => points.close());
    const file = join(directory, `${generation.name}.db`);
    using data = new DatabaseSync(file);
    using catalogue = new DatabaseSync(join(directory, 'meta.db'));
    const random = seededRandom(1);
    const columns = [
      'pipeline',
      'document_id',
      'chunk_index',
      'text_hash',
      'payload_hash',
      'run_sequence',
      'document_mark',
    ];
    const before = await treeNames(directory);
    for (let number = 0; number < 400; number += 1) {
      await points.upsert(two, { runSequence: 2 ** 40 });
      const place = pick(random, ['payload', 'payload', 'payload', 'v', 'b', 'column', 'catalogue'] as const);
      const payload = String(data.prepare('SELECT payload FROM point LIMIT 1').get()?.['payload']);
      const changed = mutateText(
        place === 'catalogue' ? JSON.stringify(generation.manifest) : payload,
        random,
      );
      const what = () => `case ${number}, ${place}: ${JSON.stringify(changed).slice(0, 500)}`;
      if (place === 'payload') data.prepare('UPDATE point SET payload = ? WHERE pk = 1').run(changed);
      else if (place === 'v')
        data.prepare('UPDATE vec SET v = ?').run(mutateBytes(Buffer.from(vectorOf('a').buffer), random));
      else if (place === 'b')
        data.prepare('UPDATE bit SET b = ?').run(mutateBytes(Buffer.alloc(2, 1), random));
      else if (place === 'catalogue') catalogue.prepare('UPDATE generation SET manifest = ?').run(changed);
      else
        data
          .prepare(`UPDATE OR IGNORE point SET ${pick(random, columns)} = ? WHERE pk = 1`)
          .run(changed.slice(0, 300));
      await readAll(store, points, what);
      if (place === 'catalogue')
        catalogue.prepare('UPDATE generation SET manifest = ?').run(JSON.stringify(generation.manifest));
      else if (place !== 'payload') {
        data.exec('DELETE FROM point; DELETE FROM vec; DELETE FROM bit');
      }
    }
    expect(await treeNames(directory)).toEqual(before);
  }, 60_000);

  test('Qdrant: 150 changed payloads, vectors and metadata of collections', async () => {
    const double = await startQdrantDouble();
    onTestFinished(() => double.close());
    const store = await openQdrantStore({ url: double.url, attempts: 1 });
    onTestFinished(() => store.close());
    const generation = await store.createGeneration('docs', MANIFEST);
    const points = await store.open(generation);
    await points.upsert(two, { runSequence: 1 });
    const collection = double.state.collections.get(generation.name);
    if (collection === undefined) throw new Error('no collection');
    const sound = structuredClone(collection.metadata);
    const random = seededRandom(2);
    for (let number = 0; number < 150; number += 1) {
      const payload = mutateValue(toPayload(chunkOf('a', 'a', { title: 'A', metadata }), 1), random);
      const isObject = typeof payload === 'object' && payload !== null && !Array.isArray(payload);
      collection.upsert(
        [
          {
            id: chunkOf('a', 'a').id,
            vector: { dense: [...vectorOf('a')] },
            payload: isObject ? payload : {},
          },
        ] as never,
        undefined,
      );
      if (number % 3 === 0) collection.metadata = mutateValue(sound, random) as typeof sound;
      await readAll(
        store,
        points,
        () => `case ${number}: ${JSON.stringify([payload, collection.metadata]).slice(0, 800)}`,
      );
      collection.metadata = structuredClone(sound);
    }
  }, 60_000);

  test('files of state: 500 changed files, cut, or with other bytes', async () => {
    const parent = await temporaryDirectory();
    const home = join(parent, 'state');
    await cp(new URL('../fixtures/formats/1', import.meta.url), home, { recursive: true });
    await mkdir(join(home, 'redis'), { mode: 0o700 });
    await writeFile(
      join(home, 'redis/server.json'),
      JSON.stringify({ version: 1, socket: join(home, 'redis/redis.sock'), password: 'a'.repeat(48) }),
      { mode: 0o600 },
    );
    await makePrivate(home);
    const texts = ['tuning.json', 'measured-rates.json', 'model-places.json', 'redis/server.json'];
    const originals = await Promise.all(texts.map((name) => readFile(join(home, name), 'utf8')));
    const before = await treeOf(parent);
    const random = seededRandom(3);
    for (let number = 0; number < 500; number += 1) {
      const which = Math.floor(random() * texts.length);
      const [name = '', original = ''] = [texts[which], originals[which]];
      const changed =
        random() < 0.8 ? mutateText(original, random) : mutateBytes(Buffer.from(original), random);
      await writeFile(join(home, name), changed);
      const cache = new TuningCache(home);
      const reads: readonly (() => Promise<unknown>)[] = [
        () => cache.get(MANIFEST.model, { cpuModel: 'x', cores: 1, memoryBytes: 1 }),
        () => measuredRate(home, { spec: MANIFEST.model, filesHash: 'x' }),
        () => findModelPlace(home, MANIFEST.model.hash),
        () => findRunning(join(home, 'redis')),
      ];
      for (const read of reads)
        await Promise.resolve()
          .then(read)
          .catch((error: unknown) =>
            assertOwn(error, () => `case ${number}, ${name}: ${String(changed).slice(0, 500)}`),
          );
      await writeFile(join(home, name), original);
    }
    expect(await treeOf(parent)).toEqual(before);
  }, 60_000);

  test('databases: 150 files of the embedded store with other bytes, and versions', async () => {
    const parent = await temporaryDirectory();
    const home = join(parent, 'vectors');
    await mkdir(home, { mode: 0o700 });
    const store = await openSqliteStore({ directory: home });
    const generation = await store.createGeneration('docs', MANIFEST);
    await store.publish(generation);
    const points = await store.open(generation);
    await points.upsert(two, { runSequence: 1 });
    await points.close();
    await store.close();
    const names = (await readdir(home)).filter((name) => name.endsWith('.db'));
    const originals = await Promise.all(names.map((name) => readFile(join(home, name))));
    const random = seededRandom(4);
    for (let number = 0; number < 150; number += 1) {
      const which = number % names.length;
      const path = join(home, names[which] ?? '');
      const original = originals[which] ?? Buffer.alloc(0);
      await writeFile(path, mutateBytes(original, random));
      const what = () => `case ${number} of ${path}`;
      try {
        const opened = await openSqliteStore({ directory: home });
        try {
          const [first] = await opened.generations();
          if (first !== undefined) {
            const reading = await opened.open(first);
            await readAll(opened, reading, what);
            await reading.close();
          }
        } finally {
          await opened.close();
        }
      } catch (error) {
        assertOwn(error, what);
      }
      await writeFile(path, original);
    }
    expect(await readdir(parent)).toEqual(['vectors']);
  }, 60_000);

  test('texts that are decoded: 4,800 jobs, run records, lock owners, payloads and manifests', () => {
    const spec = {
      version: 2,
      runId: 'r',
      ...RUN,
      startedAtMs: 1,
    };
    const holder = { host: 'h', pid: 1, runId: 'r', sinceMs: 1, pidSpace: 'x', rememberMs: 1 };
    const chunk = chunkOf('a', 'a', { title: 'A', metadata });
    const generation = {
      identity: '00000000-0000-4000-8000-000000000000',
      collection: 'docs',
      number: 1,
      manifest: MANIFEST,
    };
    const decoders: readonly (readonly [value: unknown, read: (text: string) => unknown])[] = [
      [spec, (text) => parseSpec(text, 'r')],
      [holder, parseHolder],
      [encodeJob('r', 0, [chunk]), (text) => decodeJob(JSON.parse(text))],
      [toPayload(chunk, 1), (text) => toHit('x', 0.5, parsePayload(text))],
      [toMetadata(generation, true), (text) => fromMetadata(JSON.parse(text), 'docs--g1-00000000')],
    ];
    const random = seededRandom(5);
    for (let number = 0; number < 4_800; number += 1) {
      const [value, read] = pick(random, decoders);
      const text = JSON.stringify(mutateValue(value, random));
      try {
        read(text);
      } catch (error) {
        assertOwn(error, () => `case ${number}: ${text.slice(0, 800)}`);
      }
    }
  });
});

async function treeNames(directory: string): Promise<string[]> {
  return Object.keys(await treeOf(directory)).sort();
}

async function makePrivate(folder: string): Promise<void> {
  const { chmod } = await import('node:fs/promises');
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }))
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o700 : 0o600);
}

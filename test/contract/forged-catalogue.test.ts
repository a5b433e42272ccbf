import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { GenerationManifest, ModelSpec } from '@embedline/core';
import { parseSpec } from '../../packages/core/src/run/run-record.ts';
import { fromMetadata, toMetadata } from '../../packages/core/src/vector-store/qdrant/generation-metadata.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { MANIFEST } from '../support/points.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** A store with one generation whose row was changed behind embedline's back. */
async function forgedStore(column: string, value: string | number) {
  const parent = await temporaryDirectory();
  const directory = join(parent, 'vectors');
  const store = await openSqliteStore({ directory });
  const generation = await store.createGeneration('docs', MANIFEST);
  const catalogue = new DatabaseSync(join(directory, 'meta.db'));
  catalogue.prepare(`UPDATE generation SET ${column} = ?`).run(value);
  catalogue.close();
  return { parent, store, generation };
}

test.each([
  ['name', '../../x'],
  ['name', '../precious'],
  ['name', '/tmp/precious'],
  ['name', 'docs--g1-00000000'],
  ['name', 'docs--g1-0000000\u001b[2J'],
  ['collection', '../docs'],
  ['number', 4_000_000_000],
  ['identity', '../../x'],
  ['manifest', '{'],
  ['manifest', 'null'],
  ['manifest', JSON.stringify({ ...MANIFEST, model: { ...MANIFEST.model, id: '/tmp/model' } })],
])('a catalogue row is refused whose %s is %j', async (column, value) => {
  const { parent, store, generation } = await forgedStore(column, value);
  const precious = join(parent, 'precious.db');
  await writeFile(precious, 'precious');
  const refused = {
    code: 'STORE_UNSUITABLE',
    message: expect.stringContaining('meta.db lists a generation'),
  };
  await expect(store.generations()).rejects.toMatchObject(refused);
  await expect(store.generations()).rejects.not.toThrow('\u001b');
  await expect(store.open(generation)).rejects.toMatchObject({
    code: column === 'collection' ? 'COLLECTION_NOT_FOUND' : 'STORE_UNSUITABLE',
  });
  expect(existsSync(precious)).toBe(true);
  await store.close();
});

test.each(['../../x', '../precious', '/tmp/x', 'docs', 'docs--g1-0000000g'])(
  'dropping a generation named %j removes no file',
  async (name) => {
    const parent = await temporaryDirectory();
    const precious = join(parent, 'precious.db');
    await writeFile(precious, 'precious');
    const store = await openSqliteStore({ directory: join(parent, 'vectors') });
    const generation = await store.createGeneration('docs', MANIFEST);
    await expect(store.dropGeneration({ ...generation, name })).rejects.toMatchObject({
      code: 'STORE_UNSUITABLE',
    });
    expect(existsSync(precious)).toBe(true);
    await store.close();
  },
);

/** Each way in which a stored specification may try to be more than a name and some numbers. */
const FORGED: readonly Partial<Record<keyof ModelSpec, unknown>>[] = [
  { id: '/tmp/model' },
  { id: './model' },
  { id: '../model' },
  { id: 'https://example.org/model' },
  { id: 'owner/../../model' },
  { revision: 'main' },
  { hash: '../../x' },
  { dtype: '../q8' },
  { dimensions: 4e9 },
  { maxTokens: 2 ** 40 },
  { passagePrefix: 'x'.repeat(1001) },
];

test.each(FORGED)('no store and no run names a model by %o', async (forged) => {
  const model = { ...MANIFEST.model, ...forged } as ModelSpec;
  const manifest: GenerationManifest = { ...MANIFEST, model };
  const { store } = await forgedStore('manifest', JSON.stringify(manifest));
  await expect(store.generations()).rejects.toMatchObject({ code: 'STORE_UNSUITABLE' });
  await store.close();

  const identity = '00000000-0000-4000-8000-000000000000';
  const generation = { collection: 'docs', number: 1, identity, manifest: MANIFEST };
  expect(fromMetadata(toMetadata(generation, true))).not.toBeNull();
  expect(fromMetadata(toMetadata({ ...generation, manifest }, true))).toBeNull();

  const run = {
    version: 2,
    runId: 'r',
    pipeline: 'p',
    collection: 'docs',
    storeKind: 'sqlite',
    generation: { collection: 'docs', name: 'docs--g1-00000000', identity },
    runSequence: 1,
    startedAtMs: 1,
  };
  expect(parseSpec(JSON.stringify({ ...run, model: MANIFEST.model }), 'r').model.id).toBe('test/fake');
  expect(() => parseSpec(JSON.stringify({ ...run, model }), 'r')).toThrow(/not readable/);
});

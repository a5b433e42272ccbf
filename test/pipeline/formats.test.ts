import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { chunkRecordsOf, decodeJob, loadConfig, type ModelSpec, type RunProgress } from '@embedline/core';
import { chooseAmong } from '../../apps/producer/src/ingest/choose-generation.ts';
import { measuredRate, rememberRate } from '../../apps/producer/src/plan/measured-rates.ts';
import { KnownSchedules } from '../../apps/producer/src/serve/known-schedules.ts';
import { findFetched } from '../../packages/core/src/embedder/hub/hub-model.ts';
import { findModelPlace, rememberModelPlace } from '../../packages/core/src/embedder/model-places.ts';
import { TuningCache } from '../../packages/core/src/embedder/tuning/tuning-cache.ts';
import { decodeLetter } from '../../packages/core/src/run/given-up.ts';
import { parseSpec } from '../../packages/core/src/run/run-record.ts';
import { ingestRequestSchema, ingestResultSchema } from '../../packages/core/src/schedule/ingest-request.ts';
import { scheduleRecordSchema } from '../../packages/core/src/schedule/schedule-record.ts';
import { fromPayload, type PointPayload } from '../../packages/core/src/vector-store/payload.ts';
import { fromMetadata } from '../../packages/core/src/vector-store/qdrant/generation-metadata.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { MANIFEST } from '../support/points.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const SMALL_STATE = ['tuning.json', 'measured-rates.json', 'model-places.json'] as const;
const FIXTURES = join(import.meta.dirname, '../fixtures/formats');
const LIMITS = { cpuModel: 'A CPU', cores: 4, memoryBytes: 8 * 1024 ** 3 };
const versions = (await readdir(FIXTURES, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** A copy, since a file of the store is brought to the present version when it is opened. */
async function copyOf(version: string): Promise<string> {
  const directory = await temporaryDirectory();
  await cp(join(FIXTURES, version), directory, { recursive: true });
  return directory;
}

async function json(directory: string, name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(directory, name), 'utf8')) as Record<string, unknown>;
}

/** As a newer program of the same version may have written it. */
async function addFields(directory: string, name: string) {
  const content = (await json(directory, name)) as { entries: Record<string, object> };
  const entries = Object.fromEntries(
    Object.entries(content.entries).map(([key, entry]) => [key, { ...entry, later: 1 }]),
  );
  const more = { ...content, later: 1, entries: { ...entries, later: { of: 'another kind' } } };
  await writeFile(join(directory, name), JSON.stringify(more));
  return more;
}

function runOf(model: ModelSpec): RunProgress {
  const spec = { model, startedAtMs: 1_700_000_000_000 };
  return { spec, endedAtMs: spec.startedAtMs + 10_000, workers: { tokensEmbedded: 1000 } } as RunProgress;
}

function tamper(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

async function openStore(directory: string, readOnly = false) {
  const store = await openSqliteStore({ directory: join(directory, 'vectors'), readOnly });
  onTestFinished(() => store.close());
  return store;
}

async function databaseFiles(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, 'vectors'));
  return names.filter((name) => name.endsWith('.db')).map((name) => join(directory, 'vectors', name));
}

describe.each(versions)('files of format version %s are read', (version) => {
  test.each([false, true])('the embedded store, read-only %s', async (readOnly) => {
    const store = await openStore(await copyOf(version), readOnly);
    const [generation] = await store.generations('docs');
    if (generation === undefined) throw new Error('no generation');
    expect(generation).toMatchObject({ live: true, manifest: { model: MANIFEST.model } });
    const points = await store.open(generation);
    onTestFinished(() => points.close());
    expect(await points.count({ pipeline: 'docs' })).toBe(3);
    expect(await points.health()).toMatchObject({ healthy: true });
    const ids = (await Array.fromAsync(points.scan())).flat().map(({ id }) => id);
    const stored = [...(await points.retrieve(ids)).values()];
    expect(stored.map(({ chunk }) => chunk.text).sort()).toEqual(['one', 'three', 'two']);
    expect(stored.filter(({ stale }) => stale === true)).toHaveLength(1);
  });

  test('what is kept in Qdrant', async () => {
    const { metadata, payloads } = await json(await copyOf(version), 'qdrant.json');
    expect(fromMetadata(metadata)).toMatchObject({ collection: 'docs', complete: true });
    const [payload] = payloads as PointPayload[];
    if (payload === undefined) throw new Error('no payload');
    expect(fromPayload('x', payload)).toMatchObject({ documentId: 'document one', metadata: { year: 2009 } });
  });

  test('what travels through Redis, also with a field more', async () => {
    const stored = await json(await copyOf(version), 'redis.json');
    const job = decodeJob({ ...(stored['job'] as object), later: 1 });
    expect(chunkRecordsOf(job, 'docs')).toHaveLength(3);
    const run = { ...(stored['run'] as object), later: 1 };
    expect(parseSpec(JSON.stringify(run), 'run-1')).toMatchObject({ pipeline: 'docs' });
    const letter = { ...(stored['deadLetter'] as object), later: 1 };
    expect(decodeLetter(JSON.stringify(letter), { runId: 'run-1', keys: null })).toMatchObject({
      code: 'EMBEDDING_FAILED',
    });
    const request = { ...(stored['ingestRequest'] as object), later: 1 };
    expect(ingestRequestSchema.parse(request)).toMatchObject({ pipeline: 'docs' });
    const schedule = { ...(stored['schedule'] as object), later: 1 };
    expect(scheduleRecordSchema.parse(schedule)).toMatchObject({ timeZone: 'Europe/Zurich' });
    expect(ingestResultSchema.parse({ ...(stored['ingestResult'] as object), later: 1 })).toMatchObject({
      outcome: 'done',
    });
  });

  test('what a server knew of schedules, and the files of a hub model, also with a field more', async () => {
    const directory = await copyOf(version);
    const config = { ...loadConfig({}, directory), dataDirectory: directory };
    await new KnownSchedules(config).save({ records: new Map(), served: new Map() });
    const [name = ''] = await readdir(join(directory, 'schedules'));
    const known = { ...(await json(directory, 'known-schedules.json')), later: 1 };
    await writeFile(join(directory, 'schedules', name), JSON.stringify(known));
    const { records, served } = await new KnownSchedules(config).load();
    expect([...records.keys(), ...served.keys()]).toEqual(['docs', 'docs']);
    const listing = await json(directory, 'hub-files.json');
    const [id, revision] = [String(listing['id']), String(listing['revision'])];
    const place = join(directory, 'hub', id, revision);
    await mkdir(place, { recursive: true, mode: 0o700 });
    await writeFile(join(place, 'hub-files.json'), JSON.stringify({ ...listing, later: 1 }));
    const options = { id, revision, modelsDirectory: directory, dataDirectory: directory };
    expect(await findFetched(options)).not.toBeNull();
  });

  test('the files of small state, also with a field more', async () => {
    const directory = await copyOf(version);
    for (const name of SMALL_STATE) await addFields(directory, name);
    const { model } = MANIFEST;
    expect(await new TuningCache(directory).get(model, LIMITS)).toMatchObject({ processes: 2 });
    expect(await measuredRate(directory, { spec: model, filesHash: model.hash })).toMatchObject({
      tokensPerSecond: 100,
    });
    expect(await findModelPlace(directory, model.hash)).toBe('/models');
  });
});

describe('a file of small state', () => {
  const { model } = MANIFEST;
  const tuning = { processes: 1, threadsPerProcess: 1, microBatchTokens: 512 };
  const write: Record<(typeof SMALL_STATE)[number], (directory: string) => Promise<void>> = {
    'tuning.json': (directory) => new TuningCache(directory).set({ ...model, dtype: 'fp32' }, LIMITS, tuning),
    'measured-rates.json': (directory) => rememberRate(directory, runOf({ ...model, hash: 'e'.repeat(64) })),
    'model-places.json': (directory) =>
      rememberModelPlace(
        directory,
        { spec: { ...model, hash: 'e'.repeat(64) }, modelsDirectory: '/more' },
        '/usual',
      ),
  };

  test.each(SMALL_STATE)(
    '%s keeps what a newer program of its version added when it is written',
    async (name) => {
      const directory = await copyOf('1');
      const before = await addFields(directory, name);
      await write[name](directory);
      const after = (await json(directory, name)) as typeof before;
      expect(after).toMatchObject({ ...before, entries: before.entries });
      expect(Object.keys(after.entries)).toHaveLength(Object.keys(before.entries).length + 1);
    },
  );

  test.each(SMALL_STATE)('%s is left as it is by a write when a newer version wrote it', async (name) => {
    for (const newer of [
      { version: 2, entries: {} },
      { version: 7, rows: [] },
    ]) {
      const directory = await copyOf('1');
      await writeFile(join(directory, name), JSON.stringify(newer));
      await write[name](directory);
      expect(await json(directory, name)).toEqual(newer);
    }
  });

  test.each(SMALL_STATE)('%s that was cut off is empty, and written anew', async (name) => {
    const directory = await copyOf('1');
    const text = await readFile(join(directory, name), 'utf8');
    await writeFile(join(directory, name), text.slice(0, text.length / 2));
    await write[name](directory);
    const { entries } = (await json(directory, name)) as { entries: object };
    expect(Object.keys(entries)).toHaveLength(1);
  });
});

describe('a file of an unknown version is refused by name, and stays as it is', () => {
  const refused = (pattern: RegExp) => ({
    code: 'VERSION_UNSUPPORTED',
    message: expect.stringMatching(pattern) as string,
  });

  test.each([
    ['the catalogue', /meta\.db$/],
    ['a generation', /docs--g1.*\.db$/],
  ])('of the embedded store: %s', async (_, which) => {
    const directory = await copyOf('1');
    const file = (await databaseFiles(directory)).find((name) => which.test(name)) ?? '';
    tamper(file, 'PRAGMA journal_mode = DELETE; PRAGMA user_version = 99');
    const before = await readFile(file);
    const open = async () => {
      const store = await openStore(directory);
      const [generation] = await store.generations('docs');
      if (generation !== undefined) await store.open(generation);
    };
    await expect(open()).rejects.toMatchObject(refused(/\.db was written by a newer .*format 99/));
    expect((await readFile(file)).equals(before)).toBe(true);
  });

  test('of Qdrant, of a payload schema, and of files of small state', async () => {
    const directory = await copyOf('1');
    const { metadata } = await json(directory, 'qdrant.json');
    const { embedline, ...others } = metadata as Record<string, object>;
    const newer = { ...others, embedline: { ...embedline, version: 99 } };
    expect(() => fromMetadata(newer, 'docs--g1')).toThrow(/docs--g1 in Qdrant was made by a newer/);
    const [generation] = await (await openStore(directory)).generations('docs');
    if (generation === undefined) throw new Error('no generation');
    const manifest = { ...generation.manifest, schemaVersion: 99 };
    const wanted = { collection: 'docs', pipeline: 'docs', model: MANIFEST.model, fingerprint: 'x' };
    expect(() =>
      chooseAmong([{ ...generation, manifest }], { ...wanted, rebuild: true, partial: false }),
    ).toThrow(/payload schema 99/);
    const file = join(directory, 'tuning.json');
    const text = JSON.stringify({ version: 99, entries: { x: 'something else' } });
    await writeFile(file, text);
    const tuning = { processes: 1, threadsPerProcess: 1, microBatchTokens: 512 };
    await new TuningCache(directory).set(MANIFEST.model, LIMITS, tuning);
    expect(await new TuningCache(directory).get(MANIFEST.model, LIMITS)).toBeNull();
    expect(await readFile(file, 'utf8')).toBe(text);
  });
});

describe('what embedline 0.1.0 wrote without a version', () => {
  test('is read, and gets its version when it is written to', async () => {
    const directory = await copyOf('1');
    const files = await databaseFiles(directory);
    for (const file of files) tamper(file, 'PRAGMA user_version = 0');
    const reading = await openStore(directory, true);
    expect(await reading.generations('docs')).toHaveLength(1);
    const store = await openStore(directory);
    const [generation] = await store.generations('docs');
    if (generation !== undefined) await (await store.open(generation)).close();
    for (const file of files) {
      const database = new DatabaseSync(file);
      expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 });
      database.close();
    }
    const entries = (await json(directory, 'tuning.json'))['entries'];
    await writeFile(join(directory, 'tuning.json'), JSON.stringify(entries));
    expect(await new TuningCache(directory).get(MANIFEST.model, LIMITS)).toMatchObject({ processes: 2 });
  });
});

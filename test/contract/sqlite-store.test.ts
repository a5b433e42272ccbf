import { copyFile, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { MANIFEST, pointOf, vectorOf } from '../support/points.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { treeOf } from '../support/tree.ts';
import { describeVectorStore } from './vector-store.contract.ts';

const directory = await mkdtemp(join(tmpdir(), 'embedline-contract-'));
afterAll(() => rm(directory, { recursive: true, force: true }));

describeVectorStore('sqlite', () => openSqliteStore({ directory }));

test('a worker with another directory refuses, and leaves no file behind', async () => {
  const [here, elsewhere] = [await temporaryDirectory(), await temporaryDirectory()];
  const store = await openSqliteStore({ directory: here });
  const generation = await store.createGeneration('docs', MANIFEST);
  const other = await openSqliteStore({ directory: elsewhere });
  await expect(other.open(generation)).rejects.toMatchObject({
    code: 'COLLECTION_NOT_FOUND',
    message: expect.stringMatching(/one machine/),
  });
  expect((await readdir(elsewhere)).filter((name) => name.startsWith('docs'))).toEqual([]);
  await store.close();
  await other.close();
});

test('a large collection is searched through its sign bits, with the same best hits as by comparing all', async () => {
  const store = await openSqliteStore({ directory: await temporaryDirectory() });
  const points = await store.open(await store.createGeneration('docs', MANIFEST));
  const many = Array.from({ length: 21_000 }, (_, index) => pointOf(`d${index}`, `t${index}`));
  await points.upsert(many, { runSequence: 1 });
  const query = { vector: vectorOf('t77'), limit: 3 };
  const [quick, exact] = [await points.search(query), await points.search({ ...query, exact: true })];
  expect(quick[0]?.documentId).toBe('d77');
  expect(exact[0]?.documentId).toBe('d77');
  await points.close();
  await store.close();
});

describe('a file that goes while it is in use is noticed by writers, and by who counts', () => {
  async function opened() {
    const directory = join(await temporaryDirectory(), 'vectors');
    const store = await openSqliteStore({ directory });
    const generation = await store.createGeneration('docs', MANIFEST);
    const points = await store.open(generation);
    await points.upsert([pointOf('a', 'text')], { runSequence: 1 });
    onTestFinished(async () => {
      await points.close();
      await store.close();
    });
    return { directory, file: join(directory, `${generation.name}.db`), generation, points, store };
  }
  const gone = (reason: RegExp) => ({
    code: 'COLLECTION_NOT_FOUND',
    message: expect.stringMatching(reason) as string,
  });

  test('deleted with the whole store: nothing is written, counted or published', async () => {
    const { directory, generation, points, store } = await opened();
    await rm(directory, { recursive: true });
    await expect(points.upsert([pointOf('b', 'text')], { runSequence: 1 })).rejects.toMatchObject(
      gone(/deleted or moved/),
    );
    await expect(points.count()).rejects.toMatchObject(gone(/deleted or moved/));
    await expect(store.publish(generation)).rejects.toMatchObject(gone(/meta\.db was deleted or moved/));
  });

  test('moved away', async () => {
    const { file, points } = await opened();
    await rename(file, `${file}.old`);
    await expect(points.delete(['a'], { runSequence: 1 })).rejects.toMatchObject(gone(/deleted or moved/));
  });

  test('replaced by a copy, as by a restored backup', async () => {
    const { file, points } = await opened();
    await copyFile(file, `${file}.copy`);
    await rename(`${file}.copy`, file);
    await expect(points.count()).rejects.toMatchObject(gone(/replaced by another file/));
  });

  test('one who reads a generation that is dropped meanwhile reads on', async () => {
    const { generation, points, store } = await opened();
    await store.dropGeneration(generation);
    const query = { vector: vectorOf('text'), limit: 1 };
    expect(await points.search(query)).toHaveLength(1);
  });
});

test('calls after close are refused', async () => {
  const store = await openSqliteStore({ directory: await temporaryDirectory() });
  const points = await store.open(await store.createGeneration('docs', MANIFEST));
  await points.close();
  await points.close();
  await expect(points.count()).rejects.toMatchObject({ code: 'CLOSED' });
  await store.close();
  await store.close();
  await expect(store.generations()).rejects.toMatchObject({ code: 'CLOSED' });
});

test('for reading alone, nothing is made or changed on disk', async () => {
  const directory = join(await temporaryDirectory(), 'vectors');
  const nothing = await openSqliteStore({ directory, readOnly: true });
  expect(await nothing.generations()).toEqual([]);
  await nothing.close();
  await expect(readdir(directory)).rejects.toMatchObject({ code: 'ENOENT' });

  const store = await openSqliteStore({ directory });
  const generation = await store.createGeneration('docs', MANIFEST);
  const points = await store.open(generation);
  await points.upsert([pointOf('a', 'text')], { runSequence: 1 });
  await points.close();
  await store.close();
  const before = await treeOf(directory);
  const reader = await openSqliteStore({ directory, readOnly: true });
  const found = await reader.open(generation);
  expect(await found.count()).toBe(1);
  await found.close();
  await reader.close();
  expect(await treeOf(directory)).toEqual(before);
});

test('a file that lost its vectors is not called sound', async () => {
  const directory = await temporaryDirectory();
  const store = await openSqliteStore({ directory });
  const generation = await store.createGeneration('docs', MANIFEST);
  const points = await store.open(generation);
  await points.upsert([pointOf('a', 'text')], { runSequence: 1 });
  const database = new DatabaseSync(join(directory, `${generation.name}.db`));
  database.exec('DELETE FROM vec');
  database.close();
  expect(await points.health()).toEqual({ healthy: false, detail: '1 points, but 0 vectors and 1 signs' });
  await points.close();
  await store.close();
});

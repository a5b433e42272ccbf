import { randomBytes } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { MANIFEST, pointOf } from '../support/points.ts';
import { canBeReadOnly } from '../support/read-only.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function openStore(directory: string) {
  const store = await openSqliteStore({ directory });
  onTestFinished(() => store.close());
  return store;
}

/** Overwrites pages of a file in the middle, as a failing disk does. */
async function damage(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  const { size } = await handle.stat();
  await handle.write(randomBytes(size - 4096), 0, size - 4096, 4096);
  await handle.close();
}

test('a damaged file is named with the remedy, and the remedy works', async () => {
  const directory = await temporaryDirectory();
  const store = await openStore(directory);
  const generation = await store.createGeneration('docs', MANIFEST);
  await store.publish(generation);
  const points = await store.open(generation);
  await points.upsert([pointOf('a', 'text')], { runSequence: 1 });
  await points.close();
  const file = join(directory, `${generation.name}.db`);
  await damage(file);
  await expect(store.open(generation)).rejects.toMatchObject({
    code: 'STORE_UNSUITABLE',
    retryable: false,
    message:
      `${file} is damaged. Restore a copy, or drop the collection (embedline collections drop docs), ` +
      `and ingest again.`,
  });

  await store.dropGeneration(generation);
  const next = await store.createGeneration('docs', MANIFEST);
  await store.publish(next);
  expect(await store.generations('docs')).toMatchObject([{ name: next.name, number: 2, live: true }]);
});

test('a damaged catalogue takes the whole folder along', async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'meta.db'), randomBytes(8192));
  await expect(openStore(directory)).rejects.toMatchObject({
    code: 'STORE_UNSUITABLE',
    message: `${join(directory, 'meta.db')} is damaged. Restore a copy, or move ${directory} away, and ingest again.`,
  });
});

test('files that cannot be written are named with the remedy, and hold what they held', async (context) => {
  const directory = await temporaryDirectory();
  const setReadOnly = canBeReadOnly(directory);
  if (setReadOnly === null) return context.skip('root may not mount a file system here');
  const write = async (documentId: string) => {
    const store = await openSqliteStore({ directory });
    const [generation = await store.createGeneration('docs', MANIFEST)] = await store.generations('docs');
    const points = await store.open(generation);
    await points.upsert([pointOf(documentId, 'text')], { runSequence: 1 });
    const count = await points.count();
    await points.close();
    await store.close();
    return count;
  };
  expect(await write('a')).toBe(1);
  await setReadOnly(true);
  await expect(write('b')).rejects.toMatchObject({
    code: 'STORE_UNSUITABLE',
    retryable: false,
    message: expect.stringMatching(/cannot be written. Check its owner and permissions/) as string,
  });
  await setReadOnly(false);
  expect(await write('b')).toBe(2);
});

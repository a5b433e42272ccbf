import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { isSound, verdictOf } from '../../apps/producer/src/verify/verify.ts';
import { jsonl } from '../support/cli.ts';
import { fakeModel } from '../support/fake-embedder.ts';
import { inProcess } from '../support/in-process.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const texts = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `d${index}`, text: `Text ${index}.` }));

async function bench() {
  const store = await openSqliteStore({ directory: await temporaryDirectory() });
  onTestFinished(() => store.close());
  const cwd = await temporaryDirectory();
  const system = inProcess(store);
  const file = join(cwd, 'docs.jsonl');
  const call = {
    collection: 'docs',
    pipeline: 'docs',
    sources: ['docs.jsonl'],
    cwd,
    model: fakeModel('one', 8),
    maxTokens: 16,
    maxDeleteShare: 0.3,
  };
  return { system, cwd, file, call, write: (records: readonly object[]) => writeFile(file, jsonl(records)) };
}

const documentsOf = async (system: ReturnType<typeof inProcess>) =>
  [...(await system.livePoints('docs')).values()].map(({ chunk }) => chunk.documentId).sort();

describe('a document that was emptied', () => {
  test.each([
    ['a record of no text', ''],
    ['a record of white space', ' \n\t\u3000'],
  ])('has no points any more, is no dead letter, and the collection is sound: %s', async (_, text) => {
    const { system, call, write } = await bench();
    await write(texts(5));
    await system.ingest(call);
    await write([{ id: 'd0', text }, ...texts(5).slice(1)]);
    expect(isSound(await system.verify(call))).toBe(false);
    expect(await system.plan(call)).toMatchObject({ documents: { changed: 1 }, chunks: { removed: 1 } });
    const { progress } = await system.ingest(call);
    expect(progress).toMatchObject({ state: 'done', deadLetters: 0, producer: { documentsChanged: 1 } });
    expect(await documentsOf(system)).toEqual(['d1', 'd2', 'd3', 'd4']);
    expect(await system.verify(call)).toMatchObject({ documents: 5, points: 4, chunks: 4, orphaned: 0 });
    expect(isSound(await system.verify(call))).toBe(true);
    const again = await system.ingest(call);
    expect(again.progress.producer).toMatchObject({ documentsUnchanged: 5, documentsNew: 0 });
  });

  test('as a file, or a Markdown file of front matter alone', async () => {
    const { system, cwd, call } = await bench();
    await mkdir(join(cwd, 'corpus'));
    for (const name of ['a.txt', 'b.md', 'c.txt', 'd.txt', 'e.txt', 'f.txt', 'g.txt'])
      await writeFile(join(cwd, 'corpus', name), `The text of ${name}.`);
    const folder = { ...call, sources: ['corpus'] };
    await system.ingest(folder);
    await writeFile(join(cwd, 'corpus', 'a.txt'), '');
    await writeFile(join(cwd, 'corpus', 'b.md'), '---\ntitle: b\n---\n');
    const { progress } = await system.ingest(folder);
    expect(progress).toMatchObject({ deadLetters: 0, producer: { chunksRemoved: 2 } });
    expect(isSound(await system.verify(folder))).toBe(true);
  });

  test('counts for the guard: a corpus emptied by mistake deletes nothing', async () => {
    const { system, call, write } = await bench();
    await write(texts(5));
    await system.ingest(call);
    await write(texts(5).map(({ id }) => ({ id, text: '' })));
    await expect(system.ingest(call)).rejects.toMatchObject({
      code: 'DELETE_GUARD',
      message: expect.stringMatching(/5 of the 5 points.*shorter or empty.*--max-delete 100%/) as string,
    });
    expect(await documentsOf(system)).toHaveLength(5);
  });
});

describe('what verify cannot judge is not called sound', () => {
  test.each([
    ['points of a record that cannot be read', '{"id":"d0"}\n', 1],
    ['points of a record whose id cannot be told', '{"id":\n', 1],
  ])('%s', async (_, bad, unjudged) => {
    const { system, file, call, write } = await bench();
    await write(texts(3));
    await system.ingest(call);
    await write(texts(3).slice(1));
    await appendFile(file, bad);
    const found = await system.verify(call);
    expect(found).toMatchObject({ missing: 0, stale: 0, unjudged, points: 3, chunks: 2 });
    expect(verdictOf(found)).toBe('unknown');
    expect(isSound(found)).toBe(false);
  });

  test.each([
    ['whose id is known', '{"id":"new"}\n'],
    ['that is no JSON', '{"id":\n'],
    ['of an id that is there', '{"id":"d0","text":"Another."}\n'],
  ])('a new record that cannot be read, %s: no point is missing that could be there', async (_, bad) => {
    const { system, file, call, write } = await bench();
    await write(texts(3));
    await appendFile(file, bad);
    const { progress } = await system.ingest(call);
    expect(progress).toMatchObject({ state: 'done', deadLetters: 1 });
    const found = await system.verify(call);
    expect(found).toMatchObject({ deadLetters: 1, missing: 0, stale: 0, unjudged: 0 });
    expect(verdictOf(found)).toBe('unknown');
  });

  test('points of another pipeline of the collection are none of its business', async () => {
    const { system, call, write } = await bench();
    await write(texts(3));
    await system.ingest(call);
    await system.ingest({ ...call, pipeline: 'other' });
    expect(verdictOf(await system.verify(call))).toBe('sound');
  });
});

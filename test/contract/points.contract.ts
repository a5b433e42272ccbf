import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { whereEqual, type ScannedPoint, type StoredPoint } from '@embedline/core';
import { apply } from '../support/point-model.ts';
import { chunkOf, MANIFEST, pointOf, vectorOf } from '../support/points.ts';
import { uniqueName, type StoreOpener } from './open-generation.ts';

/** How points are written, found, counted and removed. */
export function describePoints(name: string, { openStore, openPoints }: StoreOpener): void {
  describe(`${name}: points`, () => {
    test('what is upserted is read back whole: ids, payload, vector, sequence', async () => {
      const { points } = await openPoints();
      const hostile = 'line\n"quotes" \\ back\tslash 漢字 😀 \u2028 </script>';
      const metadata = {
        year: 2009,
        party: hostile,
        open: true,
        none: null,
        list: ['a', 1, false],
        ratio: 0.25,
      };
      const mark = { fingerprint: 'c'.repeat(32), chunkCount: 1, digest: 'd'.repeat(32) };
      const chunk = { ...chunkOf(hostile, hostile, { title: hostile, metadata }), documentMark: mark };
      await points.upsert([{ chunk, vector: vectorOf('v') }], { runSequence: 7 });
      const stored = (await points.retrieve([chunk.id])).get(chunk.id);
      expect(stored?.chunk).toEqual(chunk);
      expect(stored?.runSequence).toBe(7);
      // To the bit: a unit vector is neither rounded on the way nor made one again.
      expect(stored?.vector).toEqual(vectorOf('v'));
      expect((await points.fingerprints([chunk.id])).get(chunk.id)).toEqual({
        id: chunk.id,
        textHash: chunk.textHash,
        payloadHash: chunk.payloadHash,
        documentMark: mark,
      });
    });

    test('what is embedded instead of the text is kept with it, and goes with an update that has none (issue 13, E20)', async () => {
      const { points } = await openPoints();
      const text = '<b>tagged</b> text';
      const tagged = pointOf('a', text, { embeddedText: 'tagged text' });
      await points.upsert([tagged, pointOf('b', text)], { runSequence: 1 });
      const read = async () => [...(await points.retrieve([tagged.chunk.id])).values()][0]?.chunk;
      expect(await read()).toEqual(tagged.chunk);
      const [hit] = await points.search({
        vector: tagged.vector,
        limit: 1,
        filter: whereEqual({ document_id: 'a' }),
      });
      expect(hit).toMatchObject({ documentId: 'a', text });
      const plain = chunkOf('a', text);
      await points.updatePayloads([plain], { runSequence: 2 });
      expect(await read()).toEqual(plain);
      await points.updatePayloads([tagged.chunk], { runSequence: 3 });
      expect(await read()).toEqual(tagged.chunk);
    });

    test('an upsert again changes nothing; with another text it replaces the point', async () => {
      const { points } = await openPoints();
      for (const text of ['one', 'one', 'two']) await points.upsert([pointOf('a', text)], { runSequence: 1 });
      expect(await points.count()).toBe(1);
      const [stored] = (await points.retrieve([pointOf('a', 'two').chunk.id])).values();
      expect(stored?.chunk.text).toBe('two');
      expectClose(stored, vectorOf('two'));
      expect(await points.findByTextHash([chunkOf('a', 'one').textHash])).toEqual(new Map());
    });

    test('1,500 points at once, looked up 1,000 at a time; absent ids are absent', async () => {
      const { points } = await openPoints();
      const many = Array.from({ length: 1500 }, (_, index) => pointOf(`doc ${index}`, `text ${index}`));
      await points.upsert(many, { runSequence: 1 });
      expect(await points.count()).toBe(1500);
      const ids = [...many.slice(0, 999).map(({ chunk }) => chunk.id), pointOf('absent', '').chunk.id];
      expect((await points.fingerprints(ids)).size).toBe(999);
      const hashes = [...many.slice(0, 999).map(({ chunk }) => chunk.textHash), '0'.repeat(32)];
      const found = await points.findByTextHash(hashes);
      expect(found.size).toBe(999);
      expect(found.get(many[5]?.chunk.textHash ?? '')).toBe(many[5]?.chunk.id);
    });

    test('payloads of more than 40 MB in all are split, not refused', async () => {
      const { points } = await openPoints();
      const large = Array.from({ length: 9 }, (_, index) =>
        pointOf(`large ${index}`, `${index} ${'x'.repeat(5_000_000)}`),
      );
      await points.upsert(large, { runSequence: 1 });
      expect(await points.count()).toBe(9);
      const titled = large.map(({ chunk }) => ({ ...chunk, title: 'new' }));
      await points.updatePayloads(titled, { runSequence: 1 });
      const last = titled[8]?.id ?? '';
      expect((await points.retrieve([last])).get(last)?.chunk.title).toBe('new');
    });

    test('a run leaves the points of a later one as they are, and adds what is absent', async () => {
      const { points } = await openPoints();
      await points.upsert([pointOf('a', 'new')], { runSequence: 20 });
      await points.upsert([pointOf('a', 'old'), pointOf('b', 'old')], { runSequence: 10 });
      const id = pointOf('a', '').chunk.id;
      expect((await points.retrieve([id])).get(id)?.chunk.text).toBe('new');
      expect(await points.count()).toBe(2);
      await points.updatePayloads([chunkOf('a', 'new', { title: 'old title' })], { runSequence: 10 });
      expect((await points.retrieve([id])).get(id)?.chunk.title).toBeNull();
      await points.delete([id], { runSequence: 10 });
      expect(await points.count()).toBe(2);
      await points.delete([id], { runSequence: 20 });
      expect(await points.count()).toBe(1);
    });

    test('a payload update keeps the vector and touches no absent point', async () => {
      const { points } = await openPoints();
      await points.upsert([pointOf('a', 'text', { metadata: { year: 1, gone: true } })], { runSequence: 1 });
      const updated = chunkOf('a', 'text', { metadata: { year: 2 } });
      await points.updatePayloads([updated, chunkOf('absent', 'x')], { runSequence: 2 });
      const stored = (await points.retrieve([updated.id])).get(updated.id);
      expect(stored?.chunk).toEqual(updated);
      expectClose(stored, vectorOf('text'));
      expect(await points.count()).toBe(1);
    });

    test('a bad vector is refused by name, and nothing of its call is written', async () => {
      const { points } = await openPoints();
      const good = pointOf('good', 'text');
      for (const vector of [new Float32Array(3), new Float32Array(16), new Float32Array(16).fill(NaN)]) {
        const bad = { chunk: chunkOf('bad one', 'text'), vector };
        await expect(points.upsert([good, bad], { runSequence: 1 })).rejects.toMatchObject({
          code: 'STORE_REJECTED',
          message: expect.stringMatching(/bad one/),
        });
      }
      expect(await points.count()).toBe(0);
    });

    test('a scan sees every point of a pipeline once', async () => {
      const { points } = await openPoints();
      const own = Array.from({ length: 700 }, (_, index) =>
        pointOf(`d${index % 7}`, `t${index}`, { chunkIndex: Math.floor(index / 7) }),
      );
      await points.upsert([...own, pointOf('d0', 'other', { pipeline: 'other' })], { runSequence: 1 });
      const scanned: ScannedPoint[] = [];
      for await (const page of points.scan({ pipeline: 'docs' })) scanned.push(...page);
      expect(sortById(scanned)).toEqual(
        sortById(own.map(({ chunk: { id, documentId, chunkIndex } }) => ({ id, documentId, chunkIndex }))),
      );
      expect(await points.count({ pipeline: 'docs' })).toBe(700);
      expect(await points.count({ pipeline: 'other' })).toBe(1);
      expect(await points.count()).toBe(701);
    });

    test('a scan of one document sees its points and no others', async () => {
      const { points } = await openPoints();
      const chunks = [0, 1, 2].map((chunkIndex) => pointOf('a', `text ${chunkIndex}`, { chunkIndex }));
      const others = [pointOf('ab', 'x'), pointOf('a', 'x', { pipeline: 'other' }), pointOf('A', 'x')];
      await points.upsert([...chunks, ...others], { runSequence: 1 });
      const scanned: ScannedPoint[] = [];
      for await (const page of points.scan({ pipeline: 'docs', documentId: 'a' })) scanned.push(...page);
      expect(sortById(scanned)).toEqual(
        sortById(chunks.map(({ chunk: { id, documentId, chunkIndex } }) => ({ id, documentId, chunkIndex }))),
      );
    });

    test('a text that occurs thousands of times does not hide the others from a lookup by text', async () => {
      const { points } = await openPoints();
      const many = Array.from({ length: 2500 }, (_, index) => pointOf(`copy ${index}`, 'boilerplate'));
      const few = [pointOf('b', 'bee'), pointOf('c', 'sea')];
      await points.upsert([...many, ...few], { runSequence: 1 });
      const hashes = [chunkOf('', 'boilerplate'), chunkOf('', 'absent'), ...few.map(({ chunk }) => chunk)];
      const found = await points.findByTextHash(hashes.map(({ textHash }) => textHash));
      expect(found.size).toBe(3);
      expect(few.map(({ chunk }) => found.get(chunk.textHash))).toEqual(few.map(({ chunk }) => chunk.id));
    });

    test('a sound generation says that it is', async () => {
      const { points } = await openPoints();
      await points.upsert([pointOf('a', 'one'), pointOf('b', 'two')], { runSequence: 1 });
      expect(await points.health()).toMatchObject({
        healthy: true,
        detail: expect.stringContaining('2 points'),
      });
    });

    test('search: nearest first, filtered by metadata and by document', async () => {
      const { points } = await openPoints();
      const texts = Array.from({ length: 60 }, (_, index) => `text ${index}`);
      await points.upsert(
        texts.map((text, index) =>
          pointOf(`doc ${index}`, text, {
            metadata: {
              parity: index % 2,
              tags: index % 2 === 0 ? ['even', 'all'] : ['all'],
              name: `n"${index}`,
              half: index / 2,
              yes: index === 3,
              no: null,
            },
          }),
        ),
        { runSequence: 1 },
      );
      const search = (filter: Record<string, string | number | boolean | null>, limit = 100) =>
        points.search({ vector: vectorOf('text 3'), filter: whereEqual(filter), limit });
      const all = await search({}, 5);
      expect(all).toHaveLength(5);
      expect(all[0]).toMatchObject({ documentId: 'doc 3', text: 'text 3' });
      expect(all[0]?.score).toBeCloseTo(1, 5);
      expect(all.map(({ score }) => score)).toEqual(all.map(({ score }) => score).toSorted((a, b) => b - a));
      expect(await search({ parity: 1 })).toHaveLength(30);
      expect(await search({ tags: 'even' })).toHaveLength(30);
      expect((await search({ name: 'n"7' })).map(({ documentId }) => documentId)).toEqual(['doc 7']);
      expect((await search({ half: 1.5 })).map(({ documentId }) => documentId)).toEqual(['doc 3']);
      expect((await search({ yes: true })).map(({ documentId }) => documentId)).toEqual(['doc 3']);
      expect(await search({ no: null })).toHaveLength(60);
      expect((await search({ document_id: 'doc 9' })).map(({ documentId }) => documentId)).toEqual(['doc 9']);
      expect(await search({ parity: 1, tags: 'even' })).toEqual([]);
      expect(await search({ absent: 1 })).toEqual([]);
    });

    test('an aborted call is rejected with the reason', async () => {
      const { points } = await openPoints();
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(points.upsert([pointOf('a', 'b')], { runSequence: 1, signal })).rejects.toThrow('enough');
      await expect(points.count({ signal })).rejects.toThrow('enough');
    });

    test('any sequence of writes gives what the same sequence on a map gives', async () => {
      const store = await openStore();
      const documents = fc.constantFrom('a', 'b', 'c', 'd');
      const operation = fc.record({
        kind: fc.constantFrom('upsert', 'payload', 'delete'),
        document: documents,
        text: fc.constantFrom('one', 'two', 'three'),
        year: fc.integer({ min: 0, max: 3 }),
        runSequence: fc.integer({ min: 1, max: 5 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
          const generation = await store.createGeneration(uniqueName(), MANIFEST);
          const points = await store.open(generation);
          const model = new Map<string, StoredPoint>();
          for (const step of operations) await apply(step, points, model);
          const stored = await points.retrieve(['a', 'b', 'c', 'd'].map((id) => chunkOf(id, '').id));
          expect(
            new Map([...stored].map(([id, { chunk, runSequence }]) => [id, { chunk, runSequence }])),
          ).toEqual(new Map([...model].map(([id, { chunk, runSequence }]) => [id, { chunk, runSequence }])));
          for (const [id, { vector }] of model) expectClose(stored.get(id), vector);
          expect(await points.count()).toBe(model.size);
          await points.close();
          await store.dropGeneration(generation);
        }),
        { numRuns: 25 },
      );
    });
  });
}

function expectClose(stored: StoredPoint | undefined, vector: Float32Array): void {
  expect(stored?.vector).toHaveLength(vector.length);
  const difference = Math.max(
    ...vector.map((value, index) => Math.abs(value - (stored?.vector[index] ?? NaN))),
  );
  expect(difference).toBeLessThan(1e-6);
}

function sortById<T extends { readonly id: string }>(points: readonly T[]): T[] {
  return points.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

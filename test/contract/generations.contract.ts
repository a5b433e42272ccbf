import { describe, expect, test } from 'vitest';
import { MANIFEST, pointOf } from '../support/points.ts';
import type { StoreOpener } from './open-generation.ts';

/** How generations come, are published, and go. */
export function describeGenerations(name: string, { openStore, openPoints }: StoreOpener): void {
  describe(`${name}: generations`, () => {
    test('a generation is there with its manifest and identity, and not live until it is published', async () => {
      const { store, generation } = await openPoints();
      const [found] = await store.generations(generation.collection);
      expect(found).toEqual({ ...generation, live: false });
      await store.publish(generation);
      const publishedAt = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string;
      const manifest = { ...generation.manifest, publishedAt };
      expect(await store.generations(generation.collection)).toEqual([
        { ...generation, manifest, live: true },
      ]);
    });

    test('publishing another moves the name, and back again', async () => {
      const { store, generation: first } = await openPoints();
      await store.publish(first);
      const second = await store.createGeneration(first.collection, MANIFEST);
      expect(second.number).toBe(first.number + 1);
      await store.publish(second);
      expect((await store.generations(first.collection)).map(({ live }) => live)).toEqual([false, true]);
      const [published] = await store.generations(first.collection);
      if (published === undefined) throw new Error('the first one is gone');
      await store.publish(published);
      const both = await store.generations(first.collection);
      expect(both.map(({ live }) => live)).toEqual([true, false]);
      expect(both[0]?.manifest.publishedAt).toBe(published.manifest.publishedAt);
      await store.dropGeneration(second);
    });

    test('a dropped generation is gone with its name and points; dropping it again is no error; its name is never used again', async () => {
      const { store, generation, points } = await openPoints();
      await points.upsert([pointOf('a', 'text')], { runSequence: 1 });
      await store.publish(generation);
      await store.dropGeneration(generation);
      await store.dropGeneration(generation);
      expect(await store.generations(generation.collection)).toEqual([]);
      await expect(store.open(generation)).rejects.toMatchObject({ code: 'COLLECTION_NOT_FOUND' });
      const next = await store.createGeneration(generation.collection, MANIFEST);
      expect(next.name).not.toBe(generation.name);
      expect(await (await store.open(next)).count()).toBe(0);
      await store.dropGeneration(next);
    });

    test('a generation of another identity is refused', async () => {
      const { store, generation } = await openPoints();
      const other = { ...generation, identity: '00000000-0000-4000-8000-000000000000' };
      await expect(store.open(other)).rejects.toMatchObject({ code: 'STORE_MISMATCH' });
    });

    test('another pipeline is recorded beside the first', async () => {
      const { store, generation } = await openPoints();
      await store.recordPipeline(generation, 'more', 'b'.repeat(32));
      const [found] = await store.generations(generation.collection);
      expect(found?.manifest.pipelines).toEqual({ ...MANIFEST.pipelines, more: 'b'.repeat(32) });
    });

    test('names that no store could keep are refused', async () => {
      const store = await openStore();
      for (const bad of ['', 'a b', '../x', 'x--g1-0a0b0c0d', 'é']) {
        await expect(store.createGeneration(bad, MANIFEST)).rejects.toMatchObject({ code: 'USAGE' });
      }
    });
  });
}

import { describe, expect, test } from 'vitest';
import { STALE_PAYLOAD_HASH } from '@embedline/core';
import { comparable, fromScratch } from '../support/expected-points.ts';
import { fakeVector } from '../support/fake-embedder.ts';

import { ANY, publishingBench as bench, long, ONE, STORES, texts } from '../support/publishing-bench.ts';

describe.each(STORES)(
  'in place, what was given up on keeps its old points, marked as stale: %s',
  (_, open) => {
    test('an edited document; the next ingest replaces them', async () => {
      const { store, system, call, write, seen, ...it } = await bench(open);
      await write([{ id: 'a', text: long('one', 'two', 'three') }, ...texts(2)]);
      await system.ingest(call());
      await write([{ id: 'a', text: long('one', 'ZWEI', 'three') }, ...texts(2)]);
      it.break((text) => text.includes('ZWEI'));
      const { progress, notices } = await system.ingest(call());
      expect(progress).toMatchObject({ state: 'done', deadLetters: 1, producer: { chunksKeptStale: 1 } });
      expect(notices).toEqual([expect.stringMatching(/^1 points keep .*marked as stale/)]);
      expect(await seen()).toMatchObject({ 'a/0': 'onex0 ', 'a/1': 'twox0  (stale)', 'a/2': 'threex' });
      const [live] = await store.generations('docs');
      if (live === undefined) throw new Error('nothing live');
      const points = await store.open(live);
      const [hit] = await points.search({ vector: fakeVector(ONE, `${long('two')}.`), limit: 1 });
      expect(hit).toMatchObject({ documentId: 'a', chunkIndex: 1, stale: true });
      expect(await system.plan(call())).toMatchObject({ documents: { changed: 1 }, chunks: { embedded: 1 } });

      it.break(() => false);
      await system.ingest(call());
      expect(comparable(await system.livePoints('docs'), 'docs', ONE)).toEqual(await fromScratch(call()));
      expect(Object.values(await seen()).join()).not.toContain('stale');
    });

    test('a document that became shorter keeps its old end as well', async () => {
      const { system, call, write, seen, ...it } = await bench(open);
      await write([{ id: 'a', text: long('one', 'two', 'three', 'four') }]);
      await system.ingest(call());
      await write([{ id: 'a', text: long('EINS', 'ZWEI') }]);
      it.break(ANY);
      const { progress } = await system.ingest(call({ maxDeleteShare: 1 }));
      expect(progress).toMatchObject({ producer: { chunksKeptStale: 4, chunksRemoved: 0 } });
      expect(Object.values(await seen()).every((text) => text.endsWith('(stale)'))).toBe(true);
      it.break(() => false);
      await system.ingest(call({ maxDeleteShare: 1 }));
      expect(Object.keys(await seen()).sort()).toEqual(['a/0', 'a/1']);
    });

    test('one that is edited back is fresh again, without being embedded', async () => {
      const { system, call, write, seen, ...it } = await bench(open);
      const before = [{ id: 'a', text: long('one', 'two') }, ...texts(1)];
      await write(before);
      await system.ingest(call());
      await write([{ id: 'a', text: long('EINS', 'ZWEI') }, ...texts(1)]);
      it.break(ANY);
      await system.ingest(call());
      expect([...(await system.livePoints('docs')).values()].map(({ chunk }) => chunk.payloadHash)).toContain(
        STALE_PAYLOAD_HASH,
      );
      await write(before);
      const { progress } = await system.ingest(call());
      expect(progress).toMatchObject({
        deadLetters: 0,
        producer: { chunksPayloadUpdated: 2 },
        workers: { chunksEmbedded: 0 },
      });
      expect(comparable(await system.livePoints('docs'), 'docs', ONE)).toEqual(await fromScratch(call()));
      expect(Object.values(await seen()).join()).not.toContain('stale');
    });

    test('the mark moves along when another pipeline builds the collection anew', async () => {
      const { system, call, write, seen, ...it } = await bench(open);
      await write(texts(2));
      await system.ingest(call());
      await write(texts(2, 'Edited'));
      it.break(ANY);
      await system.ingest(call({ partial: true }));
      it.break(() => false);
      await system.ingest(call({ pipeline: 'other' }));
      await system.ingest(call({ pipeline: 'other', rebuild: true }));
      const stale = [...(await system.livePoints('docs')).values()].filter((point) => point.stale === true);
      expect(stale.map(({ chunk }) => chunk.pipeline)).toEqual(['docs', 'docs']);
      expect(Object.keys(await seen())).toHaveLength(2);
    });
  },
);

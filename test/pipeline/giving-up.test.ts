import { describe, expect, test } from 'vitest';
import {
  ANY,
  publishingBench as bench,
  long,
  ONE,
  refusal,
  texts,
  TWO,
} from '../support/publishing-bench.ts';

describe('a new generation is not published without approval', () => {
  test('when everything was given up on: readers keep the live one, and the next ingest continues the build', async () => {
    const { system, store, call, write, seen, ...it } = await bench();
    await write(texts(30));
    await system.ingest(call());
    const before = await seen();
    it.break(ANY);
    const other = call({ model: TWO });
    await expect(system.ingest(other)).rejects.toMatchObject(
      refusal(
        'NOTHING_TO_PUBLISH',
        /not published, and readers see what they saw.*30 of 30 chunks.*EMBEDDING_FAILED 30/,
      ),
    );
    // Nothing approves it.
    const approved = { ...other, maxDeleteShare: 1, maxGivenUpShare: 1 };
    await expect(system.ingest(approved)).rejects.toMatchObject({ code: 'NOTHING_TO_PUBLISH' });
    expect(await seen()).toEqual(before);
    const building = (await store.generations('docs')).at(-1)?.name;
    it.break(() => false);
    const { progress } = await system.ingest(other);
    expect(progress).toMatchObject({
      state: 'done',
      deadLetters: 0,
      spec: { generation: { name: building } },
    });
    expect(Object.keys(await seen())).toHaveLength(30);
  });

  test('when readers would lose more than the guard allows, by chunks that were given up on', async () => {
    const { system, call, write, seen, ...it } = await bench();
    await write(texts(30));
    await system.ingest(call());
    it.break((text) => /Text 1\d/.test(text));
    const other = call({ model: TWO, maxGivenUpShare: 1 });
    await expect(system.ingest(other)).rejects.toMatchObject(
      refusal(
        'DELETE_GUARD',
        /10 of the 30 points.*10 in documents whose new text could not be embedded.*--max-delete 34%/,
      ),
    );
    await system.ingest({ ...other, maxDeleteShare: 0.34 });
    expect(Object.keys(await seen())).toHaveLength(20);
  });

  test('when more than one percent of the chunks was given up on, and with --max-given-up it is', async () => {
    const { system, call, write, seen, ...it } = await bench();
    await write(texts(150));
    await system.ingest(call());
    it.break((text) => /Text 10[01]/.test(text));
    const other = call({ model: TWO });
    await expect(system.ingest(other)).rejects.toMatchObject(
      refusal('GIVEN_UP_GUARD', /2 of the 150 chunks.*\(1\.33 %\).*failed list --run.*--max-given-up 2%/),
    );
    it.break((text) => /Text 100/.test(text));
    const { progress } = await system.ingest(other);
    expect(progress).toMatchObject({ state: 'done', deadLetters: 1, workers: { chunksEmbedded: 1 } });
    it.break((text) => /Text 10[01]/.test(text));
    await system.ingest(call({ model: ONE, rebuild: true, maxGivenUpShare: 0.02 }));
    expect(Object.keys(await seen())).toHaveLength(148);
  });

  test('when documents became empty or much shorter, also if they are cut in another way', async () => {
    const { system, call, write, seen, ...it } = await bench();
    await write([{ id: 'a', text: long('one', 'two', 'three', 'four') }, ...texts(4)]);
    await system.ingest(call());
    await write([{ id: 'a', text: long('one') }, ...texts(4)]);
    for (const other of [call({ model: TWO }), call({ rebuild: true }), call({ maxTokens: 24 })]) {
      expect(await system.plan(other)).toMatchObject({ withheld: { what: 'publication', fails: true } });
      await expect(system.ingest(other)).rejects.toMatchObject(
        refusal('DELETE_GUARD', /3 of the 8 points.*3 in documents that became shorter or empty/),
      );
    }
    await write([
      { id: 'a', text: long('one', 'two', 'three', 'four') },
      ...texts(4).map(({ id }) => ({ id, text: ' ' })),
    ]);
    await expect(system.ingest(call({ model: TWO }))).rejects.toMatchObject({ code: 'DELETE_GUARD' });
    expect(Object.keys(await seen())).toHaveLength(8);
    expect(it.file).toBeTruthy();
  });

  test('when documents that could not be read would be missing, with --sweep-incomplete as well', async () => {
    const { system, call, write, seen } = await bench();
    await write(texts(10));
    await system.ingest(call());
    await write([
      ...texts(5),
      ...texts(10)
        .slice(5)
        .map(({ id }) => ({ id })),
    ]);
    const other = call({ model: TWO, sweepIncomplete: true });
    await expect(system.ingest(other)).rejects.toMatchObject(
      refusal('DELETE_GUARD', /5 of the 10 points.*5 in documents that could not be read.*--max-delete 50%/),
    );
    expect(Object.keys(await seen())).toHaveLength(10);
  });

  test('larger chunks of the same text are no loss', async () => {
    const { system, call, write, seen } = await bench();
    await write([{ id: 'a', text: long('one', 'two', 'three', 'four', 'five', 'six') }]);
    await system.ingest(call());
    expect(Object.keys(await seen())).toHaveLength(6);
    await system.ingest(call({ maxTokens: 64 }));
    expect(Object.keys(await seen()).length).toBeLessThan(4);
  });
});

describe('a first load', () => {
  test.each([
    ['all of whose chunks were given up on', texts(3), /3 of 3 chunks were given up on/],
    ['all of whose records were rejected', [{ id: 'a' }, { id: 'b' }], /2 records could not be read/],
    ['that is half of each', [{ id: 'a' }, ...texts(1)], /1 of 1 chunks.*1 records/],
  ])('%s is a failure, and publishes nothing', async (_, records, reason) => {
    const { store, system, call, write, ...it } = await bench();
    await write(records);
    it.break(ANY);
    await expect(system.ingest(call({ maxGivenUpShare: 1 }))).rejects.toMatchObject(
      refusal('NOTHING_TO_PUBLISH', reason),
    );
    expect((await store.generations('docs')).filter(({ live }) => live)).toEqual([]);
    if (records.every((record) => !('text' in record)))
      expect(await system.plan(call())).toMatchObject({ withheld: { what: 'publication', fails: true } });
  });

  test('of another pipeline into a collection that is there is held to the same', async () => {
    const { system, call, write, ...it } = await bench();
    await write(texts(3));
    await system.ingest(call());
    it.break(ANY);
    await write(texts(3, 'Other'));
    await expect(system.ingest(call({ pipeline: 'other' }))).rejects.toMatchObject(
      refusal('NOTHING_TO_PUBLISH', /no point of other/),
    );
  });

  test('some of which failed is done with dead letters once that is approved', async () => {
    const { system, call, write, seen, ...it } = await bench();
    await write(texts(3));
    it.break((text) => text.includes('1'));
    await expect(system.ingest(call())).rejects.toMatchObject(refusal('GIVEN_UP_GUARD', /1 of the 3 chunks/));
    const { progress } = await system.ingest(call({ maxGivenUpShare: 0.34 }));
    expect(progress).toMatchObject({ state: 'done', deadLetters: 1 });
    expect(Object.keys(await seen()).sort()).toEqual(['d0/0', 'd2/0']);
  });

  test('of a corpus without any text is published empty, and says so', async () => {
    const { store, system, call, write } = await bench();
    await write([{ id: 'a', text: '' }]);
    const { progress, notices } = await system.ingest(call());
    expect(progress).toMatchObject({ state: 'done', deadLetters: 0, producer: { documentsRead: 1 } });
    expect(notices).toEqual([expect.stringMatching(/without a point of docs/)]);
    expect((await store.generations('docs')).filter(({ live }) => live)).toHaveLength(1);
  });
});

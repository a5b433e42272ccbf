import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { EmbedlineError, type StoredPoint, type VectorStore } from '@embedline/core';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { jsonl } from '../support/cli.ts';
import { fakeModel } from '../support/fake-embedder.ts';
import { interferedStore } from '../support/faulty-store.ts';
import { inProcess, type IngestCall } from '../support/in-process.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const MODEL = fakeModel('one', 8);
const texts = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `d${index}`, text: `Text ${index}.` }));
/** As many chunks of 16 words. */
const long = (chunks: number) =>
  Array.from({ length: chunks }, (_, index) =>
    Array.from({ length: 12 }, (__, word) => `word${index}x${word}`).join(' '),
  ).join('.\n\n');
/** A record that is there, of a known id, and cannot be read. */
const BAD = '{"id":"d0"}\n';

async function bench() {
  const store = await openSqliteStore({ directory: await temporaryDirectory() });
  onTestFinished(() => store.close());
  const cwd = await temporaryDirectory();
  const system = inProcess(store);
  const call = (more: Partial<IngestCall> = {}): IngestCall => ({
    collection: 'docs',
    pipeline: 'docs',
    sources: ['docs.jsonl'],
    cwd,
    model: MODEL,
    maxTokens: 16,
    ...more,
  });
  return {
    store,
    system,
    file: join(cwd, 'docs.jsonl'),
    call,
    write: (records: readonly object[]) => writeFile(join(cwd, 'docs.jsonl'), jsonl(records)),
    documents: async () => {
      const points: StoredPoint[] = [...(await system.livePoints('docs')).values()];
      return points.map(({ chunk }) => `${chunk.pipeline}/${chunk.documentId}/${chunk.chunkIndex}`).sort();
    },
  };
}

/** A store that goes away when a method is called, before it does anything. */
function failingAt(store: VectorStore, method: string): VectorStore {
  return interferedStore(store, (called) => {
    if (called === method) throw new EmbedlineError('STORE_UNREACHABLE', `cut off before ${method}`);
    return undefined;
  });
}

describe('a build that goes on after its corpus has changed', () => {
  test.each([
    ['a record that has become unreadable keeps what was embedded of it', BAD],
    ['so does one whose id cannot be told', '{"id":\n'],
  ])('%s', async (_, bad) => {
    const { store, system, file, call, write, documents } = await bench();
    await write(texts(3));
    await expect(system.ingest({ ...call(), store: failingAt(store, 'publish') })).rejects.toThrow(/cut off/);
    await write(texts(3).slice(1));
    await appendFile(file, bad);
    const { progress } = await system.ingest(call());
    expect(progress).toMatchObject({ state: 'done', deadLetters: 1, workers: { chunksEmbedded: 0 } });
    expect(await documents()).toEqual(['docs/d0/0', 'docs/d1/0', 'docs/d2/0']);
  });

  test('what another pipeline has deleted meanwhile does not come back', async () => {
    const { store, system, call, write, documents } = await bench();
    const [left, right] = [call({ pipeline: 'left' }), call({ pipeline: 'right' })];
    await write(texts(3));
    for (const one of [left, right]) await system.ingest(one);
    const rechunked = { ...left, maxTokens: 24 };
    await expect(system.ingest({ ...rechunked, store: failingAt(store, 'publish') })).rejects.toThrow(
      /cut off/,
    );
    await write(texts(1));
    await system.ingest(right);
    await system.ingest(rechunked);
    expect(await documents()).toEqual(['left/d0/0', 'right/d0/0']);
  });
});

describe('a new generation', () => {
  test('that would lack a document which readers see, because it cannot be read now, is not published unasked', async () => {
    const { system, file, call, write, documents } = await bench();
    await write(texts(3));
    await system.ingest(call());
    await write(texts(3).slice(1));
    await appendFile(file, BAD);
    const other = call({ model: fakeModel('two', 16) });
    expect(await system.plan(other)).toMatchObject({
      withheld: { what: 'publication', why: expect.stringContaining('d0') as string },
    });
    await expect(system.ingest(other)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringMatching(/1 documents that readers see.*"d0".*--sweep-incomplete/s) as string,
    });
    expect(await documents()).toEqual(['docs/d0/0', 'docs/d1/0', 'docs/d2/0']);
    await system.ingest({ ...other, sweepIncomplete: true });
    expect(await documents()).toEqual(['docs/d1/0', 'docs/d2/0']);
  });

  test('that was published between the choice and the first write is written to, not the one before', async () => {
    const { store, system, call, write, documents } = await bench();
    await write(texts(2));
    await system.ingest(call());
    await expect(
      system.ingest({ ...call(), rebuild: true, store: failingAt(store, 'publish') }),
    ).rejects.toThrow(/cut off/);
    const second = (await store.generations('docs')).at(-1);
    await write(texts(3));
    let overtaken = false;
    const overtaking = new Proxy(store, {
      get: (target, name) => {
        if (name !== 'open') {
          const value = Reflect.get(target, name) as unknown;
          return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
        }
        return async (...args: Parameters<VectorStore['open']>) => {
          if (!overtaken && second !== undefined) await target.publish(second);
          overtaken = true;
          return target.open(...args);
        };
      },
    });
    const { progress } = await system.ingest({ ...call(), store: overtaking });
    expect(progress.spec.generation.name).toBe(second?.name);
    expect(await documents()).toEqual(['docs/d0/0', 'docs/d1/0', 'docs/d2/0']);
  });
});

describe('a partial reading', () => {
  test('cuts off the old end of a document also when an earlier attempt ended before it did', async () => {
    const { store, system, call, write, documents } = await bench();
    await write([{ id: 'long', text: long(4) }, ...texts(1)]);
    await system.ingest(call());
    expect(await documents()).toHaveLength(5);
    await write([{ id: 'long', text: long(2) }]);
    const partial = call({ partial: true });
    await expect(system.ingest({ ...partial, store: failingAt(store, 'delete') })).rejects.toThrow(/cut off/);
    expect(await system.plan(partial)).toMatchObject({ documents: { unchanged: 1 }, chunks: { removed: 2 } });
    const { progress } = await system.ingest(partial);
    expect(progress.producer).toMatchObject({ documentsUnchanged: 1, chunksRemoved: 2 });
    expect(await documents()).toEqual(['docs/d0/0', 'docs/long/0', 'docs/long/1']);
  });

  test('is refused by plan where ingest refuses it', async () => {
    const { system, call, write } = await bench();
    await write(texts(1));
    await system.ingest(call());
    const rechunked = call({ partial: true, maxTokens: 24 });
    const refusal = {
      code: 'COLLECTION_INCOMPATIBLE',
      message: expect.stringMatching(/--partial/) as string,
    };
    await expect(system.plan(rechunked)).rejects.toMatchObject(refusal);
    await expect(system.ingest(rechunked)).rejects.toMatchObject(refusal);
  });
});

describe('the delete guard', () => {
  test('allows as much as its message says, in decimals', async () => {
    const { system, call, write, documents } = await bench();
    await write(texts(100));
    await system.ingest(call());
    await write(texts(71));
    await expect(system.ingest(call({ maxDeleteShare: 0.285 }))).rejects.toMatchObject({
      code: 'DELETE_GUARD',
      message: expect.stringMatching(/29 of the 100 .*the 28\.5 % allowed.*--max-delete 29%/) as string,
    });
    const allowed = call({ maxDeleteShare: 0.29 });
    expect(await system.plan(allowed)).toMatchObject({ withheld: null });
    await system.ingest(allowed);
    expect(await documents()).toHaveLength(71);
  });

  test('measures by the points that are there when it is time, and plan foresees them', async () => {
    const { system, call, write, documents } = await bench();
    await write(texts(10));
    await system.ingest(call());
    await write(texts(40).slice(4));
    // 4 of 10 are 40 %, but 4 of 40 are 10 %.
    const allowed = call({ maxDeleteShare: 0.1 });
    expect(await system.plan(call({ maxDeleteShare: 0.09 }))).toMatchObject({
      withheld: { what: 'deletion' },
    });
    expect(await system.plan(allowed)).toMatchObject({ withheld: null });
    await system.ingest(allowed);
    expect(await documents()).toHaveLength(36);
  });
});

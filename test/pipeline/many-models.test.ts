import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  chunkRecordsOf,
  EmbedlineError,
  encodeJob,
  loadConfig,
  resolveModel,
  runKeys,
  type createEmbedder,
  type ModelSpec,
} from '@embedline/core';
import { expect, onTestFinished, test } from 'vitest';
import { OpenRuns } from '../../apps/worker/src/open-runs.ts';
import { Lending } from '../../apps/worker/src/lending.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { batchFleet } from '../support/batch-fleet.ts';
import { fakeEmbedder, fakeVector } from '../support/fake-embedder.ts';
import { chunkOf, MANIFEST } from '../support/points.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';

const STEADY = fileURLToPath(new URL('../fixtures/tiny-models/steady', import.meta.url));
const MAX_OPEN = 2;
const BATCHES = 6;

/** Models that differ by hash, and a way to open them that watches how they are used. */
async function models(count: number) {
  const modelsDirectory = await temporaryDirectory();
  const specs: ModelSpec[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = `model-${index}`;
    await cp(STEADY, join(modelsDirectory, id), { recursive: true });
    const prompts = { prompts: { passage: `passage ${index}: ` } };
    await writeFile(
      join(modelsDirectory, id, 'config_sentence_transformers.json'),
      JSON.stringify({ __version__: {}, ...prompts }),
    );
    specs.push((await resolveModel({ id, modelsDirectory, dataDirectory: modelsDirectory })).spec);
  }
  const seen = { open: 0, mostOpen: 0, opened: 0, usedAfterClose: 0 };
  const openEmbedder: typeof createEmbedder = async (wanted) => {
    const { spec } = 'spec' in wanted ? wanted : await resolveModel(wanted);
    let closed = false;
    seen.open += 1;
    seen.opened += 1;
    seen.mostOpen = Math.max(seen.mostOpen, seen.open);
    return {
      ...fakeEmbedder(spec),
      embed: async (texts) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (closed) {
          seen.usedAfterClose += 1;
          throw new EmbedlineError('CLOSED', 'The model is closed.');
        }
        return fakeEmbedder(spec).embed(texts);
      },
      close: async () => {
        closed = true;
        seen.open -= 1;
      },
    };
  };
  return { modelsDirectory, specs, seen, openEmbedder };
}

test.each([
  ['one model', 1, 20],
  ['three models', 3, 20],
  ['five models', 5, 7],
])(
  '%s and as many as 20 runs on one worker: exact, nothing given up, nothing closed that is in use',
  async (_, count, runs) => {
    const { modelsDirectory, specs, seen, openEmbedder } = await models(count);
    const store = await openSqliteStore({ directory: await temporaryDirectory() });
    onTestFinished(() => store.close());
    const { ledger, redis, prefix, queue, start, run } = batchFleet();
    const expected = new Map<string, readonly { readonly id: string; readonly vector: Float32Array }[]>();
    for (let index = 0; index < runs; index += 1) {
      const [runId, model] = [`run-${index}`, specs[index % count] ?? MANIFEST.model];
      const generation = await store.createGeneration(runId, { ...MANIFEST, model });
      const { collection, name, identity } = generation;
      const place = { pipeline: 'docs', collection, storeKind: 'sqlite' as const };
      await ledger.create({
        ...place,
        runId,
        generation: { collection, name, identity },
        model,
        runSequence: 1,
      });
      const jobs = Array.from({ length: BATCHES }, (_, batch) =>
        encodeJob(runId, batch, [
          chunkOf(`${runId}-${batch}`, `Text ${batch} of ${runId}.`, { passagePrefix: model.passagePrefix }),
        ]),
      );
      await queue.enqueue(jobs);
      await redis.hset(runKeys(prefix).run(runId), { sealed: 1, batchesTotal: BATCHES });
      const chunks = jobs.flatMap((job) => chunkRecordsOf(job, 'docs'));
      const vectorOf = (text: string) => fakeVector(model, model.passagePrefix + text);
      expected.set(
        runId,
        chunks.map(({ id, text }) => ({ id, vector: vectorOf(text) })),
      );
    }
    const source = new OpenRuns({
      ledger,
      store,
      config: loadConfig({ EMBEDLINE_HOME: modelsDirectory, EMBEDLINE_MODELS: modelsDirectory }),
      embedder: {},
      openEmbedder,
      maxOpenModels: MAX_OPEN,
      modelTurnMs: 30,
    });
    const worker = start({}, { runs: source, processes: 2 });
    for (const runId of expected.keys())
      await until(`${runId} is done`, async () => (await run(runId)).workers.batchesDone === BATCHES);
    await worker.close();
    await source.close();
    for (const [runId, points] of expected) {
      const { spec, deadLetters, workers } = await run(runId);
      expect({ deadLetters, embedded: workers.chunksEmbedded }).toEqual({
        deadLetters: 0,
        embedded: BATCHES,
      });
      const generation = await store.open(spec.generation);
      const found = await generation.retrieve(points.map(({ id }) => id));
      expect(points.map(({ id }) => found.get(id)?.vector)).toEqual(points.map(({ vector }) => vector));
      await generation.close();
    }
    expect(seen).toMatchObject({ open: 0, usedAfterClose: 0 });
    expect(seen.mostOpen).toBe(Math.min(count, MAX_OPEN));
  },
);

test('what is lent is closed when its last user gives it back, and opened again for the next', async () => {
  const events: string[] = [];
  const lending = new Lending<{ close(): Promise<void> }>({ maxIdle: 1 });
  const borrow = (key: string) =>
    lending.borrow(key, async () => {
      events.push(`open ${key}`);
      return { close: async () => void events.push(`close ${key}`) };
    });
  const [first, second, other] = [borrow('a'), borrow('a'), borrow('b')];
  await Promise.all([first.value(), second.value(), other.value()]);
  other.release();
  first.release();
  first.release();
  lending.evict('a');
  await lending.settled();
  expect(events).toEqual(['open a', 'open b']);
  second.release();
  await lending.settled();
  expect(events).toEqual(['open a', 'open b', 'close b']);
  await borrow('b').value();
  await lending.close();
  expect(events).toEqual(['open a', 'open b', 'close b', 'open b', 'close a']);
});

test('what fails to open is opened anew for the next who wants it', async () => {
  let attempts = 0;
  const lending = new Lending<{ close(): Promise<void> }>({ maxIdle: 1 });
  const open = () => {
    attempts += 1;
    return attempts === 1
      ? Promise.reject(new Error('no'))
      : Promise.resolve({ close: async () => undefined });
  };
  const [first, second] = [lending.borrow('a', open), lending.borrow('a', open)];
  await expect(first.value()).rejects.toThrow('no');
  first.release();
  second.release();
  await expect(lending.borrow('a', open).value()).resolves.toBeDefined();
  expect(attempts).toBe(2);
});

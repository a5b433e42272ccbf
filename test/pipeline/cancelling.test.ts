import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBatchQueue, RunLedger, type GenerationPoints, type VectorStore } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { jsonl } from '../support/cli.ts';
import { fakeModel } from '../support/fake-embedder.ts';
import { inProcess, type IngestCall } from '../support/in-process.ts';
import { testRedis } from '../support/redis.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const MODEL = fakeModel('one', 8);

/** A store that does something else before the n-th call of a method of its points. */
function pausedStore(
  store: VectorStore,
  method: string,
  nth: number,
  meanwhile: () => Promise<void>,
): VectorStore {
  let calls = 0;
  const proxyOf = <T extends object>(target: T, replaced: Record<string, unknown>): T =>
    new Proxy(target, {
      get: (_, name) => {
        const value: unknown = replaced[String(name)] ?? Reflect.get(target, name);
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
  const paused = (points: GenerationPoints) => {
    const call = Reflect.get(points, method) as (...args: unknown[]) => Promise<unknown>;
    const wait = async (...args: unknown[]) => {
      calls += 1;
      if (calls === nth) await meanwhile();
      return call.apply(points, args);
    };
    return proxyOf(points, { [method]: wait });
  };
  const open = async (...args: Parameters<VectorStore['open']>) => paused(await store.open(...args));
  return proxyOf(store, { open });
}

async function bench() {
  const store = await openSqliteStore({ directory: await temporaryDirectory() });
  onTestFinished(() => store.close());
  const cwd = await temporaryDirectory();
  const system = inProcess(store);
  const call: IngestCall = {
    collection: 'docs',
    pipeline: 'docs',
    sources: ['docs.jsonl'],
    cwd,
    model: MODEL,
    maxTokens: 16,
  };
  const write = (count: number) =>
    writeFile(
      join(cwd, 'docs.jsonl'),
      jsonl(Array.from({ length: count }, (_, index) => ({ id: `d${index}`, text: `Text ${index}.` }))),
    );
  // As `embedline runs cancel` does, from wherever: with connections of its own.
  const redis = testRedis();
  const { prefix } = system;
  const ledger = new RunLedger({ redis, prefix });
  const queue = createBatchQueue({ connection: redis, prefix });
  onTestFinished(() => queue.close());
  const cancel = async () => {
    const [run] = await ledger.list(1);
    const runId = run?.spec.runId ?? '';
    expect(await ledger.end(runId, 'cancelled', 'cancelled')).toBe(true);
    await queue.removeRun(runId);
  };
  return { store, system, call, write, cancel, ledger, redis };
}

describe('a run that is cancelled while its producer', () => {
  test('looks for what has vanished deletes nothing', async () => {
    const { store, system, call, write, cancel, ledger } = await bench();
    await write(6);
    await system.ingest(call);
    await write(3);
    const paused = pausedStore(store, 'count', 1, cancel);
    await expect(system.ingest({ ...call, store: paused })).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    expect((await system.livePoints('docs')).size).toBe(6);
    expect(await ledger.list(1)).toMatchObject([{ state: 'cancelled' }]);
    await system.ingest(call);
    expect((await system.livePoints('docs')).size).toBe(3);
  });

  test.each([
    ['has swept what it will publish', 1],
    ['counts what it will publish', 2],
    ['compares it with what readers see', 3],
  ])('%s publishes nothing', async (_, nth) => {
    const { store, system, call, write, cancel, ledger } = await bench();
    await write(6);
    await system.ingest(call);
    const before = (await store.generations('docs')).filter(({ live }) => live);
    await write(5);
    const paused = pausedStore(store, 'count', nth, cancel);
    const rebuilding = { ...call, maxTokens: 24 };
    await expect(system.ingest({ ...rebuilding, store: paused })).rejects.toMatchObject({
      code: 'RUN_CANCELLED',
    });
    expect((await store.generations('docs')).filter(({ live }) => live)).toEqual(before);
    expect(await ledger.list(1)).toMatchObject([{ state: 'cancelled' }]);
    await system.ingest(rebuilding);
    expect((await system.livePoints('docs')).size).toBe(5);
  });

  test('reads the corpus queues nothing that workers could still do', async () => {
    const { store, system, call, write, cancel, redis } = await bench();
    await write(3);
    await system.ingest(call);
    await write(6);
    const paused = pausedStore(store, 'fingerprints', 1, cancel);
    await expect(system.ingest({ ...call, store: paused })).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    const left = await redis.keys(`${system.prefix}:embed-*`);
    expect(left).toEqual([]);
  });
});

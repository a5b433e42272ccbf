import { DatabaseSync } from 'node:sqlite';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { announceWorker, isComplete, nextRunSequence, runKeys, Schedules } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { testBench, jsonl } from '../support/cli.ts';
import { fakeModel } from '../support/fake-embedder.ts';
import { interferedStore } from '../support/faulty-store.ts';
import { inProcess } from '../support/in-process.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { recordRun, testLedger } from '../support/recorded-run.ts';
import { testRedis } from '../support/redis.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** Numbers that no program of ours writes, as JSON. */
const ABSURD = ['-1', '1e300', '9007199254740991', '8.7e15', '-8.7e15', '0.5', 'null', '"12"', '[]'];

/** A collection of two documents in SQLite, and what it takes to ingest and to forge. */
async function collection() {
  const cwd = await temporaryDirectory();
  const store = await openSqliteStore({ directory: join(cwd, 'vectors') });
  onTestFinished(() => store.close());
  const lookups: string[] = [];
  let onLookup: () => Promise<unknown> | void = () => undefined;
  const watched = interferedStore(store, (method) => {
    if (method === 'fingerprints') void onLookup();
    lookups.push(method);
    return undefined;
  });
  const system = inProcess(watched, store);
  const model = fakeModel('one', 16);
  const call = { collection: 'docs', pipeline: 'docs', sources: ['docs.jsonl'], cwd, model, maxTokens: 8 };
  const write = (texts: Record<string, string>) =>
    writeFile(join(cwd, 'docs.jsonl'), jsonl(Object.entries(texts).map(([id, text]) => ({ id, text }))));
  const forge = async (sql: string, ...values: (string | number)[]) => {
    const [generation] = await store.generations('docs');
    const database = new DatabaseSync(join(cwd, 'vectors', `${generation?.name}.db`));
    database.prepare(sql).run(...values);
    database.close();
  };
  return {
    ...system,
    call,
    write,
    forge,
    lookups: () => lookups.splice(0).filter((method) => method === 'fingerprints').length,
    whenLookedUp: (act: () => Promise<unknown>) => (onLookup = act),
  };
}

const LONG = 'One two three four five six. Seven eight nine ten eleven. Twelve thirteen fourteen fifteen.';

describe('14.3 numbers of the store', () => {
  test.each(['4000000000', '1048576', '-1', '0', '1e300', '"x"', 'null'])(
    'a mark that claims %s chunks costs neither plan, ingest nor verify anything, and is put right',
    async (claim) => {
      const { call, write, forge, lookups, ...system } = await collection();
      await write({ a: LONG, b: 'Short.' });
      await system.ingest(call);
      await forge(
        `UPDATE point SET document_mark = replace(document_mark, '"chunkCount":', '"chunkCount":${claim},"was":')`,
      );
      lookups();
      expect(await system.plan(call)).toMatchObject({ documents: { removed: 0 } });
      expect(lookups()).toBeLessThan(8);
      await system.verify(call);
      const { progress } = await system.ingest(call);
      expect(progress).toMatchObject({ state: 'done', producer: { documentsRead: 2 }, deadLetters: 0 });
      const again = await system.ingest(call);
      expect(again.progress.producer).toMatchObject({ documentsUnchanged: 2, chunksPayloadUpdated: 0 });
    },
  );

  test('a mark, hashes or offsets of other types are taken for none', async () => {
    const { call, write, forge, ...system } = await collection();
    await write({ a: LONG, b: 'Short.' });
    await system.ingest(call);
    for (const mark of ['no json', '[]', '{}', '{"fingerprint":1}', `"${'x'.repeat(100_000)}"`])
      await forge('UPDATE point SET document_mark = ? WHERE document_mark IS NOT NULL', mark);
    await forge("UPDATE point SET payload_hash = x'00', text_hash = 7 WHERE document_id = 'b'");
    expect((await system.ingest(call)).progress).toMatchObject({ state: 'done', deadLetters: 0 });
    expect((await system.verify(call)).altered.altered).toBe(0);
  });
});

describe('14.13 a run ends as done only with every chunk in the store', () => {
  test.each([
    ['a changed chunk', { a: 'Another text.', b: 'Short.' }],
    ['a new document', { a: LONG, b: 'Short.', c: 'A third one.' }],
    ['a document that grew', { a: `${LONG} Sixteen seventeen eighteen.`, b: 'Short.' }],
  ])('a planted bit of its batch does not hide %s', async (_, changed) => {
    const { call, write, redis, prefix, whenLookedUp, ...system } = await collection();
    await write({ a: LONG, b: 'Short.' });
    await system.ingest(call);
    await write(changed);
    const keys = runKeys(prefix);
    whenLookedUp(async () => {
      for (const runId of await redis.zrange(keys.runningRuns, '0', '-1'))
        await redis.setbit(keys.done(runId), 0, '1');
    });
    await expect(system.ingest(call)).rejects.toMatchObject({
      code: 'STORE_MISMATCH',
      message: expect.stringMatching(/lacks chunks of this run.*Ingest again/s) as string,
    });
    whenLookedUp(async () => undefined);
    expect((await system.ingest(call)).progress).toMatchObject({ state: 'done' });
    expect(await system.verify(call)).toMatchObject({ missing: 0, stale: 0, altered: { altered: 0 } });
  });

  test('bits of batches that the run does not have count nothing', async () => {
    const { ledger, redis, prefix } = testLedger();
    const runId = await recordRun(ledger);
    const done = runKeys(prefix).done(runId);
    const counts = Object.fromEntries([['batchesTotal', 11]]) as never;
    await ledger.seal(runId, counts);
    for (const bit of [3, 10, 11, 12, 100, 20_000_000]) await redis.setbit(done, bit, '1');
    const run = await ledger.progress(runId);
    expect(run).toMatchObject({ sealed: true, workers: { batchesDone: 2 } });
    expect(run !== null && isComplete(run)).toBe(false);
    expect(await ledger.pendingBatches(runId, [10, 2, 3, 9])).toEqual([2, 9]);
    expect(await ledger.pendingBatches(runId, [])).toEqual([]);
    await redis.hset(runKeys(prefix).run(runId), 'batchesTotal', '1e300');
    expect((await ledger.progress(runId))?.workers.batchesDone).toBe(5);
  });
});

describe('14.13 numbers of Redis', () => {
  /** Everything that is listed, with one number of each record replaced. */
  async function planted(number: string) {
    const bench = await testBench();
    const redis = testRedis();
    const keys = runKeys(bench.prefix);
    const { ledger } = testLedger(redis, bench.prefix);
    const replaced = (text: string | null, name: string) =>
      (text ?? '').replace(new RegExp(`"${name}":[^,}]*`), `"${name}":${number}`);
    for (const name of ['startedAtMs', 'runSequence', 'version']) {
      const runId = await recordRun(ledger, { pipeline: `of-${name.toLowerCase()}` });
      await redis.hset(keys.run(runId), 'spec', replaced(await redis.hget(keys.run(runId), 'spec'), name));
    }
    const runId = await recordRun(ledger);
    const counters = [
      'endedAtMs',
      'batchesTotal',
      'chunksTotal',
      'chunksEmbedded',
      'deadLetters',
      'sourceBytesRead',
    ];
    for (const name of counters) await redis.hset(keys.run(runId), name, number);
    await redis.hset(keys.run(runId), 'waitingFor', `{"reason":"x","sinceMs":${number}}`);
    const presence = await announceWorker({ redis, prefix: bench.prefix, workerId: 'w', concurrency: 1 });
    onTestFinished(() => presence.close());
    presence.setRefusals([{ runId, code: 'X', reason: 'y', sinceMs: 1 }]);
    const schedules = new Schedules({ connection: redis, prefix: bench.prefix });
    onTestFinished(() => schedules.close());
    await schedules.set({ pipeline: 'docs', cron: '0 3 * * *', timeZone: 'UTC', overlap: 'skip' });
    const result = { outcome: 'done', kind: 'scheduled', runId, message: null };
    const times = `"scheduledForMs":${number},"startedAtMs":${number},"endedAtMs":${number}`;
    await redis.hset(keys.ingestResults, 'docs', `${JSON.stringify(result).slice(0, -1)},${times}}`);
    await redis.hset(keys.servedTicks, 'docs', number);
    await redis.hset(keys.schedules, 'docs', replaced(await redis.hget(keys.schedules, 'docs'), 'sinceMs'));
    await redis.set(keys.sequence, number);
    const owner = { host: 'h', pid: 1, runId: 'other', sinceMs: 1, pidSpace: '', rememberMs: 1 };
    const lock = replaced(replaced(JSON.stringify(owner), 'sinceMs'), 'rememberMs');
    await redis.set(keys.lastLockOwner('pipeline:docs'), lock);
    return { bench, redis, keys, runId, lock };
  }

  test.each(ABSURD)('%s makes no command fail that only looks', async (number) => {
    const { bench, runId, redis, keys, lock } = await planted(number);
    for (const args of [['status'], ['status', runId], ['runs', 'list'], ['failed', 'list', '--run', runId]])
      for (const more of [[], ['--json']]) {
        const { code, stderr } = await runInProcess(bench, [...args, ...more]);
        expect(stderr).not.toMatch(/bug in embedline|RangeError|Invalid time/);
        expect(code, args.join(' ')).toBe(0);
      }
    for (const more of [[], ['--json']]) {
      const listed = await runInProcess(bench, ['schedule', 'list', ...more]);
      expect([listed.code, listed.stderr.includes('bug')]).toEqual([0, false]);
    }
    const sequence = await nextRunSequence(redis, bench.prefix);
    expect(Math.abs(sequence - Date.now())).toBeLessThan(2 * 24 * 3600 * 1000);
    await redis.set(keys.lock('pipeline:docs'), lock, 'PX', 5000);
    await writeFile(join(bench.directory, 'docs.jsonl'), jsonl([{ id: 'a', text: 'A text.' }]));
    const ingest = await runInProcess(bench, [
      'ingest',
      'docs.jsonl',
      '--collection',
      'docs',
      '--workers',
      '0',
    ]);
    expect(ingest).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is being ingested by/) as string,
    });
    expect(ingest.stderr).not.toMatch(/bug in embedline/);
  });
});

import { runKeys } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { testLedger } from '../support/recorded-run.ts';

const letter = (key: string) => ({
  key,
  stage: 'read' as const,
  code: 'RECORD_INVALID',
  reason: 'x',
  documentId: null,
  chunkIndex: null,
  origin: null,
  excerpt: null,
  attempts: 1,
});

const idsOf = (runs: readonly { readonly spec: { readonly runId: string } }[]) =>
  runs.map(({ spec }) => spec.runId).toSorted();

async function allOf(ledger: ReturnType<typeof testLedger>['ledger'], pipeline?: string) {
  return Array.fromAsync(ledger.index.newestFirst(pipeline));
}

describe('the index of runs', () => {
  test('hides no living run, whatever else has been run since: 300 at once', async () => {
    const { ledger, record } = testLedger();
    const old = await record({ pipeline: 'rare' });
    const others = await Promise.all(
      Array.from({ length: 300 }, (_, index) => record({ pipeline: `often-${index % 3}` })),
    );
    expect(idsOf(await ledger.index.running())).toEqual([old, ...others].toSorted());
    expect(idsOf(await ledger.index.running('rare'))).toEqual([old]);
    expect(idsOf(await allOf(ledger, 'rare'))).toEqual([old]);
    expect(await allOf(ledger)).toHaveLength(301);
    expect(await ledger.list(5)).toHaveLength(5);
  });

  test('finds the letters of a run after any number of runs without', async () => {
    const { ledger, record } = testLedger();
    const [first, second] = [await record(), await record({ pipeline: 'other' })];
    await ledger.addDeadLetters(first, [letter('a')]);
    await ledger.addDeadLetters(second, [letter('b')]);
    for (const runId of [first, second]) await ledger.end(runId, 'done', null);
    for (let index = 0; index < 120; index += 1) await record();
    expect((await ledger.index.newestWithDeadLetters())?.spec.runId).toBe(second);
    await ledger.dropDeadLetters(second, ['b']);
    expect((await ledger.index.newestWithDeadLetters())?.spec.runId).toBe(first);
    await ledger.dropDeadLetters(first, 'all');
    expect(await ledger.index.newestWithDeadLetters()).toBeNull();
  });

  test('tells pipelines apart whose names are like its own, or like each other', async () => {
    const { ledger, record } = testLedger();
    const names = ['a', 'a:b', 'of:a', 'running', '{a}', 'a b', 'ä', 'with-dead-letters', '__proto__', '*'];
    const runs = new Map<string, string>();
    for (const pipeline of names) runs.set(pipeline, await record({ pipeline }));
    for (const [pipeline, runId] of runs) expect(idsOf(await allOf(ledger, pipeline))).toEqual([runId]);
    expect(idsOf(await allOf(ledger))).toEqual([...runs.values()].toSorted());
  });

  test('drops entries whose record has expired, and keeps those that have lost other parts', async () => {
    const { redis, prefix, ledger, record } = testLedger();
    const keys = runKeys(prefix);
    const [gone, kept] = [await record(), await record()];
    await ledger.addDeadLetters(gone, [letter('a')]);
    await ledger.addDeadLetters(kept, [letter('a')]);
    await redis.del(keys.run(gone), keys.deadLetters(kept), keys.done(kept));
    expect(idsOf(await allOf(ledger))).toEqual([kept]);
    expect((await ledger.index.newestWithDeadLetters())?.spec.runId).toBe(kept);
    for (const list of [keys.runsOf('docs'), keys.runningRuns, keys.runsWithDeadLetters])
      expect(await redis.zrange(list, '0', '-1')).not.toContain(gone);
  });

  test('finds runs of version 0.1.0, which wrote one list only', async () => {
    const { redis, prefix, ledger, record } = testLedger();
    const keys = runKeys(prefix);
    const [ended, living, newer] = [await record({ pipeline: 'old' }), await record(), await record()];
    await ledger.addDeadLetters(ended, [letter('a')]);
    await ledger.end(ended, 'interrupted', null);
    await redis.del(keys.runsOf('old'), keys.runsOf('docs'), keys.runningRuns, keys.runsWithDeadLetters);
    await redis.del(keys.pipelines);
    await redis.zadd(keys.runs, 1, ended, 2, living);
    await redis.zadd(keys.runsOf('docs'), 3, newer);
    await redis.zadd(keys.pipelines, 3, 'docs');
    expect(idsOf(await allOf(ledger))).toEqual([ended, living, newer].toSorted());
    expect(idsOf(await ledger.list(1))).toEqual([newer]);
    expect(idsOf(await allOf(ledger, 'old'))).toEqual([ended]);
    expect(idsOf(await ledger.index.running())).toEqual([living]);
    expect((await ledger.index.newestWithDeadLetters())?.spec.runId).toBe(ended);
  });

  test('shows a run whose state a newer version wrote, and does not take it for a living one', async () => {
    const { redis, prefix, ledger, record } = testLedger();
    const [refined, strange] = [await record(), await record()];
    await ledger.end(refined, 'failed', null);
    await redis.hset(runKeys(prefix).run(refined), 'endedAs', 'evaporated');
    await redis.hset(runKeys(prefix).run(strange), 'state', 'paused', 'stage', 'musing');
    expect(await ledger.progress(refined)).toMatchObject({ state: 'failed' });
    expect(await ledger.progress(strange)).toMatchObject({ state: 'unknown', stage: 'ended' });
    expect(await allOf(ledger)).toHaveLength(2);
    expect(await ledger.index.running()).toEqual([]);
  });
});

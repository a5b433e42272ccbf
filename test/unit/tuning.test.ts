import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chooseTuning, machineLimits, resolveModel, type MachineLimits } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import type { InferenceTuning } from '../../packages/core/src/embedder/tuning/inference-tuning.ts';
import { processesThatFit } from '../../packages/core/src/embedder/tuning/machine-limits.ts';
import { searchTuning } from '../../packages/core/src/embedder/tuning/search-tuning.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const GIB = 1024 ** 3;

/** A machine whose speed is a formula. */
function search(
  tokensPerSecond: (tuning: InferenceTuning) => number,
  { cores = 4, maxProcesses = 99, maxThreadsPerProcess = 99, batchInvariant = true, measurements = 99 } = {},
) {
  const measured: InferenceTuning[] = [];
  const found = searchTuning({
    cores,
    maxProcesses,
    maxThreadsPerProcess,
    batchInvariant,
    measure: (tuning) => {
      measured.push(tuning);
      return Promise.resolve(tokensPerSecond(tuning));
    },
    isOver: () => measured.length >= measurements,
  });
  return { found, measured };
}

describe('the search', () => {
  test('takes what is fastest', async () => {
    const { found } = search(
      ({ processes, threadsPerProcess, microBatchTokens }) =>
        processes * threadsPerProcess ** 1.2 * (microBatchTokens === 1024 ? 3 : 1),
    );
    expect(await found).toEqual({ processes: 2, threadsPerProcess: 2, microBatchTokens: 1024 });
  });

  test('keeps what is usual when nothing is faster by more than noise', async () => {
    const { found } = search(({ processes, microBatchTokens }) =>
      processes === 2 || microBatchTokens === 256 ? 1.04 : 1,
    );
    expect(await found).toEqual({ processes: 4, threadsPerProcess: 1, microBatchTokens: 512 });
  });

  test('the best of several rounds counts, so that one slow moment decides nothing', async () => {
    let calls = 0;
    const { found } = search(({ microBatchTokens }) => {
      calls += 1;
      return calls === 1 ? 0.1 : microBatchTokens === 512 ? 2 : 1;
    });
    expect(await found).toMatchObject({ microBatchTokens: 512 });
  });

  test('ends when the time is over, with the best so far', async () => {
    const { found, measured } = search(({ microBatchTokens }) => (microBatchTokens === 256 ? 9 : 1), {
      measurements: 2,
    });
    expect(await found).toEqual({ processes: 4, threadsPerProcess: 1, microBatchTokens: 256 });
    expect(measured).toHaveLength(2);
  });

  test('never tries more processes than fit, and gives those that do the cores of the others', async () => {
    const { found, measured } = search(() => 1, { cores: 8, maxProcesses: 3 });
    expect(await found).toMatchObject({ processes: 3, threadsPerProcess: 2 });
    expect(Math.max(...measured.map(({ processes }) => processes))).toBe(3);
  });

  test('shares the cores out to processes of one thread where an engine has no more (issue 15)', async () => {
    const { found, measured } = search(({ threadsPerProcess }) => threadsPerProcess, {
      cores: 8,
      maxProcesses: 3,
      maxThreadsPerProcess: 1,
    });
    expect(await found).toMatchObject({ processes: 3, threadsPerProcess: 1 });
    expect(Math.max(...measured.map(({ threadsPerProcess }) => threadsPerProcess))).toBe(1);
  });

  test('does not measure how many tokens go together where texts go alone', async () => {
    const { found, measured } = search(() => 1, { cores: 1, batchInvariant: false });
    expect(await found).toEqual({ processes: 1, threadsPerProcess: 1, microBatchTokens: 512 });
    expect(measured).toEqual([]);
  });
});

describe('on this machine', () => {
  const open = () =>
    resolveModel({
      id: 'steady',
      modelsDirectory: fileURLToPath(new URL('../fixtures/tiny-models', import.meta.url)),
      dataDirectory: '/nonexistent',
    });

  test('is measured once, and remembered for this model, CPU and limits', async () => {
    const model = await open();
    const dataDirectory = await temporaryDirectory();
    const told: string[] = [];
    const choose = (measure: boolean, limits?: MachineLimits) =>
      chooseTuning(model, {
        dataDirectory,
        measure,
        onMeasuring: () => told.push('measuring'),
        ...(limits === undefined ? {} : { limits }),
      });
    expect(await choose(false)).toMatchObject({
      source: 'usual',
      threadsPerProcess: 1,
      microBatchTokens: 512,
    });
    expect(await readdir(dataDirectory)).toEqual([]);
    const measured = await choose(true);
    expect(measured.source).toBe('measured');
    expect(await choose(true)).toEqual({ ...measured, source: 'measured before' });
    expect(await choose(false)).toEqual({ ...measured, source: 'measured before' });
    expect(told).toEqual(['measuring']);
    const elsewhere = await choose(false, { ...machineLimits(), cpuModel: 'another' });
    expect(elsewhere.source).toBe('usual');
  });

  test('a damaged memory of it is no memory', async () => {
    const dataDirectory = await temporaryDirectory();
    await writeFile(join(dataDirectory, 'tuning.json'), '{"x": {"processes": -1}}');
    expect(await chooseTuning(await open(), { dataDirectory, measure: false })).toMatchObject({
      source: 'usual',
    });
    expect(await readFile(join(dataDirectory, 'tuning.json'), 'utf8')).toContain('-1');
  });

  test('a small memory holds few processes, but one', async () => {
    const dataDirectory = await temporaryDirectory();
    const limits = { cores: 64, memoryBytes: 1 * GIB, cpuModel: 'any' };
    const { processes } = await chooseTuning(await open(), { dataDirectory, measure: false, limits });
    expect(processes).toBe(5);
    expect(processesThatFit({ ...limits, memoryBytes: 0.1 * GIB }, GIB)).toBe(1);
  });
});

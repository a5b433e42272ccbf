import { describe, expect, test } from 'vitest';
import { FORMAT_VERSION, type ConnectedWorker } from '@embedline/core';
import { formatCount, formatDuration, formatRate } from '../../apps/producer/src/terminal/format.ts';
import { renderHits } from '../../apps/producer/src/terminal/hits.ts';
import { progressLine } from '../../apps/producer/src/terminal/progress-line.ts';
import { runJson, viewRun } from '../../apps/producer/src/terminal/run-view.ts';
import { displayWidth, safeText, truncate } from '../../apps/producer/src/terminal/safe-text.ts';
import { styleFor } from '../../apps/producer/src/terminal/style.ts';
import { renderSummary, summaryJson } from '../../apps/producer/src/terminal/summary.ts';
import { renderTable } from '../../apps/producer/src/terminal/table.ts';
import { runOf } from '../support/run-of.ts';

const plain = styleFor({ isTTY: false, columns: 100 }, {});

test('numbers and times', () => {
  expect([0, 999, 1000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
  expect([0.4, 72, 3_900, 200_000].map(formatDuration)).toEqual([
    '0 s',
    '1 min 12 s',
    '1 h 05 min',
    '2 d 7 h',
  ]);
  expect([0.75, 12.34, 1234].map(formatRate)).toEqual(['0.8', '12.3', '1,234']);
});

describe('foreign text', () => {
  test('cannot steer the terminal', () => {
    expect(safeText('a\u001b[31mred\u0007\u009b2J\r\nb\u202Ec')).toBe(
      'a\uFFFD[31mred\uFFFD\uFFFD2J b\uFFFDc',
    );
    const hit = {
      id: 'x',
      score: 0.5,
      documentId: '\u001b]0;owned\u0007',
      chunkIndex: 0,
      text: 'evil \u001b[2J text',
      title: '\u001b[A',
      start: 0,
      end: 9,
      metadata: { k: '\u001b[B' },
    };
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    expect(renderHits('evil', [hit], plain)).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  test('is measured and cut by columns, not by code units', () => {
    expect(['abc', '漢字', 'é', 'e\u0301', '😀'].map(displayWidth)).toEqual([3, 4, 1, 1, 2]);
    expect(truncate('漢字漢字', 5)).toBe('漢字…');
    expect(truncate('short', 5)).toBe('short');
  });
});

const workerOf = (more: Partial<ConnectedWorker>): ConnectedWorker => ({
  workerId: 'idle',
  host: 'host',
  pid: 1,
  concurrency: 1,
  version: '0.1.0',
  format: FORMAT_VERSION,
  sinceMs: 0,
  waitingFor: null,
  waitingSinceMs: null,
  refusals: [],
  ...more,
});
const idle = workerOf({});

describe('progress', () => {
  test('one line: bar, share, chunks, rate, time left, stage', () => {
    expect(progressLine(viewRun(runOf({}), [idle]), plain)).toBe(
      '[████████████░░░░░░░░░░░░]  50%  500/1,000 chunks  50.0/s  ETA 10 s  embedding',
    );
  });

  test('while the corpus is read, its size is guessed from the bytes, and the share does not go back', () => {
    const reading = runOf({
      sealed: false,
      stage: 'reading',
      counts: { chunksTotal: 500, sourceBytesRead: 25, sourceBytesTotal: 100 },
    });
    const view = viewRun(reading, [idle]);
    expect(view).toMatchObject({ chunksExpected: 2000, share: 0.25 });
    expect(progressLine(view, plain, 0.4)).toContain(' 40%  500/~2,000 chunks');
    const unknown = viewRun(runOf({ sealed: false, stage: 'reading' }), []);
    expect(progressLine(unknown, plain)).toContain('  ?%  500/? chunks  50.0/s  ETA ?');
  });

  test('says what it waits for', () => {
    expect(viewRun(runOf({}), []).waitingFor).toContain('npx embedline-worker');
    const down = workerOf({
      workerId: 'down',
      waitingFor: 'Qdrant at http://q is down',
      waitingSinceMs: Date.UTC(2026, 0, 1, 12, 3),
    });
    expect(viewRun(runOf({}), [down]).waitingFor).toBe('Qdrant at http://q is down (since 12:03:00 UTC)');
    expect(viewRun(runOf({}), [down, idle]).waitingFor).toBeNull();
  });

  test('says which workers leave the run to others, and why', () => {
    const run = runOf({});
    const refusal = { runId: run.spec.runId, code: 'STORE_MISMATCH', reason: 'Another store.', sinceMs: 0 };
    const stranger = workerOf({ workerId: 'stranger', refusals: [refusal] });
    const old = workerOf({ workerId: 'old', format: 1 });
    expect(viewRun(run, [stranger]).waitingFor).toBe(
      'a worker that can serve it: stranger does not: Another store.',
    );
    expect(viewRun(run, [old]).waitingFor).toBe(
      'a worker of a newer version: old (version 0.1.0) cannot read it. Update embedline there.',
    );
    expect(viewRun(run, [stranger, old]).waitingFor).toContain('Another store');
    const served = viewRun(run, [stranger, old, idle]);
    expect(served.waitingFor).toBeNull();
    expect(runJson(served)).toMatchObject({
      refusals: [{ worker: 'stranger', code: 'STORE_MISMATCH', since: '1970-01-01T00:00:00.000Z' }],
      outdatedWorkers: [{ worker: 'old', version: '0.1.0' }],
    });
    const other = workerOf({ refusals: [{ ...refusal, runId: 'another' }] });
    expect(runJson(viewRun(run, [other]))).toMatchObject({ refusals: [], waitingFor: null });
  });

  test('as programs see it', () => {
    expect(runJson(viewRun(runOf({}), [idle]))).toMatchObject({
      run: 'r1',
      pipeline: 'docs',
      state: 'running',
      batches: { total: 9, done: 4, failed: 0 },
      chunks: { total: 1000, embedded: 400, skipped: 100 },
      chunksPerSecond: 50,
      etaSeconds: 10,
      waitingFor: null,
    });
  });
});

test('the summary, for people and for programs', () => {
  const run = runOf({
    state: 'done',
    stage: 'ended',
    endedAtMs: 1_010_000,
    deadLetters: 2,
    workers: {
      batchesDone: 9,
      chunksEmbedded: 900,
      tokensEmbedded: 90_000,
      chunksTruncated: 0,
      chunksGivenUp: 0,
      bytesDone: 1,
    },
  });
  const model = { ...run.spec.model, engine: 'kernel', arithmeticVersion: 1 };
  const done = { ...run, spec: { ...run.spec, model } };
  expect(renderSummary(done, plain)).toBe(
    [
      'docs done  run r1, docs--g1-00000000',
      '  documents     10 read: 10 new',
      '  chunks        1,000 in the corpus: 900 embedded, 100 skipped, 0 removed',
      '  model         test/fake q8, kernel (arithmetic 1)',
      '  tokens        90,000 embedded',
      '  truncated     0',
      '  dead letters  2 (embedline failed list --run r1)',
      '  time          10 s (90.0 chunks/s)',
    ].join('\n'),
  );
  expect(summaryJson(done)).toEqual({
    type: 'summary',
    run: 'r1',
    pipeline: 'docs',
    collection: 'docs',
    state: 'done',
    documents: { read: 10, new: 10, changed: 0, unchanged: 0, removed: 0 },
    chunks: {
      total: 1000,
      embedded: 900,
      reused: 0,
      skipped: 100,
      payloadUpdated: 0,
      keptStale: 0,
      removed: 0,
    },
    model: 'test/fake',
    engine: 'kernel',
    tokens: 90_000,
    truncated: 0,
    unknownTokens: { of: 0, unknown: 0, share: null },
    deadLetters: 2,
    seconds: 10,
  });
});

test('tables are aligned, numbers at the right', () => {
  expect(
    renderTable(
      [{ header: 'NAME' }, { header: 'POINTS', align: 'right' }],
      [
        ['漢字', '1'],
        ['docs', '1,234'],
      ],
    ),
  ).toBe(['NAME  POINTS', '漢字       1', 'docs   1,234'].join('\n'));
});

test('colours: on a terminal, not with NO_COLOR, and where FORCE_COLOR wants them', () => {
  const coloured = '\u001b[31mx\u001b[39m';
  expect(styleFor({ isTTY: true }, {}).red('x')).toBe(coloured);
  expect(styleFor({ isTTY: true }, { NO_COLOR: '1' }).red('x')).toBe('x');
  expect(styleFor({ isTTY: false }, {}).red('x')).toBe('x');
  expect(styleFor({ isTTY: false }, { FORCE_COLOR: '1' }).red('x')).toBe(coloured);
});

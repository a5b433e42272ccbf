import { throttle, type Logger } from '@embedline/core';
import { expect, onTestFinished, test, vi } from 'vitest';
import { reportOutages } from '../../apps/worker/src/report-outages.ts';

test('a service that is down for ten minutes is a line in ten seconds, however many tries fail', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines: { atMs: number; text: string; fields: object }[] = [];
  const log = (fields: object, text: string) => void lines.push({ atMs: Date.now(), text, fields });
  const report = reportOutages({ warn: log, info: log } as unknown as Logger);
  const sinceMs = Date.now();
  for (let tries = 0; tries < 6_000; tries += 1) {
    report({ reason: 'Qdrant is down.', sinceMs });
    vi.advanceTimersByTime(100);
  }
  report(null);
  const waiting = lines.slice(0, -1);
  expect(waiting).toHaveLength(60);
  expect(waiting.map(({ atMs }) => atMs - sinceMs)).toEqual(waiting.map((_, index) => index * 10_000));
  expect(waiting[0]).toMatchObject({
    text: 'Waiting, and trying again: Qdrant is down.',
    fields: { times: 1, sinceMs },
  });
  expect(waiting[1]).toMatchObject({ fields: { times: 100 } });
  expect(lines.at(-1)).toMatchObject({ text: 'What was waited for is back', fields: { seconds: 600 } });
});

test('an hour of one kind of trouble in ever new words is two lines a minute, with a count', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines: [string, number][] = [];
  const report = throttle(30_000, (message, times) => lines.push([message, times]));
  for (let second = 0; second < 3_600; second += 1) {
    report(`connect ECONNREFUSED 127.0.0.1:${second}`);
    report(second % 2 === 0 ? 'Connection is closed.' : 'Command timed out', 'redis');
    vi.advanceTimersByTime(1_000);
  }
  expect(lines).toHaveLength(2 * 120);
  expect(lines[2]).toEqual(['connect ECONNREFUSED 127.0.0.1:30', 30]);
});

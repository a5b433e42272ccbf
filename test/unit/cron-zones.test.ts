import { describe, expect, test } from 'vitest';
import { latestFireTime, nextFireTimes } from '@embedline/core';
import { ZoneClock, type ClockChange } from '../../packages/core/src/schedule/zone-clock.ts';

const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;
const [FROM_MS, UNTIL_MS] = [Date.UTC(2026, 0), Date.UTC(2036, 0)];
const ZONES = [...Intl.supportedValuesOf('timeZone'), 'UTC'];
const MIDNIGHT = '0 0 * * *';
const OTHER_TIMES = ['30 0 * * *', '15 1 * * *', '30 2 * * *', '0 3 * * *', '30 23 * * *', '59 23 * * *'];

interface Zone {
  readonly timeZone: string;
  readonly clock: ZoneClock;
  readonly changes: readonly ClockChange[];
}

function changesOf(clock: ZoneClock, fromMs: number, untilMs: number): ClockChange[] {
  const changes: ClockChange[] = [];
  for (let afterMs = fromMs; ;) {
    const change = clock.changeBetween(afterMs, untilMs);
    if (change === null) return changes;
    changes.push(change);
    afterMs = change.atMs;
  }
}

/** Zones whose clocks are changed at the same instants by the same hours are one case. */
function zonesThatDiffer(): Zone[] {
  const byChanges = new Map<string, Zone>();
  for (const timeZone of ZONES) {
    const clock = new ZoneClock(timeZone);
    const changes = changesOf(clock, FROM_MS, UNTIL_MS);
    const key = JSON.stringify([clock.offsetMs(FROM_MS), changes]);
    if (!byChanges.has(key)) byChanges.set(key, { timeZone, clock, changes });
  }
  return [...byChanges.values()];
}

const dayOf = (clock: ZoneClock, atMs: number) => Math.floor((atMs + clock.offsetMs(atMs)) / DAY_MS);

/** How often each local day within some days of an instant has its run, against once. */
function wrongDays(pattern: string, { timeZone, clock }: Zone, aroundMs: number): string[] {
  const fromMs = aroundMs - 3 * DAY_MS;
  const times = nextFireTimes({ cron: pattern, timeZone }, 8, fromMs).map((date) => date.getTime());
  const [first, last] = [dayOf(clock, fromMs) + 1, dayOf(clock, aroundMs + 3 * DAY_MS)];
  const days = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return days
    .filter((day) => times.filter((timeMs) => dayOf(clock, timeMs) === day).length !== 1)
    .map((day) => `${timeZone} ${pattern} ${new Date(day * DAY_MS).toISOString().slice(0, 10)}`);
}

/**
 * Midnight at every change, and another time at each pair of changes: in ten years, each time meets in each zone both a
 * change forward and one back.
 */
const timesAt = (change: number) => [
  MIDNIGHT,
  OTHER_TIMES[Math.floor(change / 2) % OTHER_TIMES.length] ?? MIDNIGHT,
];

const zones = zonesThatDiffer();

describe('in every time zone for ten years', () => {
  test('a daily time comes exactly once on every day around each change of the clocks', () => {
    expect(zones.reduce((sum, { changes }) => sum + changes.length, 0)).toBeGreaterThan(500);
    const wrong = zones.flatMap((zone) =>
      zone.changes.flatMap(({ atMs }, change) =>
        timesAt(change).flatMap((pattern) => wrongDays(pattern, zone, atMs)),
      ),
    );
    expect(wrong).toEqual([]);
  });

  test('an hourly time comes every hour, and nowhere later than an hour and a half after the one before', () => {
    for (const { timeZone, changes } of zones)
      for (const { atMs, beforeMs, afterMs } of changes) {
        const times = nextFireTimes({ cron: '0 * * * *', timeZone }, 8, atMs - 4 * HOUR_MS).map(Number);
        const gaps = times.slice(1).map((timeMs, index) => timeMs - (times[index] ?? 0));
        const isWhole = (afterMs - beforeMs) % HOUR_MS === 0;
        if (isWhole) expect(new Set(gaps), timeZone).toEqual(new Set([HOUR_MS]));
        else expect(Math.max(...gaps), timeZone).toBeLessThanOrEqual(1.5 * HOUR_MS);
      }
  });

  test('the latest time before an instant is the one that comes next before it', () => {
    for (const { timeZone, changes } of zones.filter((_, index) => index % 4 === 0))
      for (const { atMs } of changes.slice(0, 2))
        for (const cron of ['0 0 * * *', '30 2 * * *', '30 23 * * *', '*/20 * * * *']) {
          const times = nextFireTimes({ cron, timeZone }, 400, atMs - 2 * DAY_MS).map(Number);
          for (const untilMs of [atMs - 1, atMs, atMs + HOUR_MS + 1]) {
            const expected = times.findLast((timeMs) => timeMs <= untilMs);
            expect(latestFireTime({ cron, timeZone }, atMs - 2 * DAY_MS, untilMs), timeZone).toBe(expected);
          }
        }
  });
});

test('a daily time comes once on each of 3,652 days where midnight is skipped every year', () => {
  const clock = new ZoneClock('Africa/Cairo');
  const times = nextFireTimes({ cron: '0 0 * * *', timeZone: 'Africa/Cairo' }, 3652, FROM_MS).map(Number);
  expect(new Set(times.map((timeMs) => dayOf(clock, timeMs))).size).toBe(3652);
});

describe('a time that the change of the clocks skips', () => {
  const next = (cron: string, timeZone: string, after: string, count = 1) =>
    nextFireTimes({ cron, timeZone }, count, Date.parse(after)).map((date) => date.toISOString());

  test.each([
    ['Africa/Cairo', '2026-04-23T22:00:00.000Z'],
    ['America/Santiago', '2026-09-06T04:00:00.000Z'],
    ['America/Havana', '2026-03-08T05:00:00.000Z'],
    ['Asia/Beirut', '2026-03-28T22:00:00.000Z'],
    ['Atlantic/Azores', '2026-03-29T01:00:00.000Z'],
  ])('at midnight in %s comes at the first instant of the day', (timeZone, expected) => {
    const dayBeforeMs = Date.parse(expected) - 20 * HOUR_MS;
    expect(next('0 0 * * *', timeZone, new Date(dayBeforeMs).toISOString())).toEqual([expected]);
  });

  test('at the end of a day comes in its last second that exists', () => {
    expect(next('30 23 * * *', 'America/Nuuk', '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T00:59:59.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
  });

  test('with its whole day does not come', () => {
    expect(next('0 3 * * *', 'Pacific/Apia', '2011-12-29T00:00:00Z', 2)).toEqual([
      '2011-12-29T13:00:00.000Z',
      '2011-12-30T13:00:00.000Z',
    ]);
  });

  test('comes later by as much as the clocks are put forward, between the times that are not skipped', () => {
    expect(next('*/30 2,3 * * *', 'Europe/Zurich', '2026-03-28T12:00:00Z', 3)).toEqual([
      '2026-03-29T01:00:00.000Z',
      '2026-03-29T01:30:00.000Z',
      '2026-03-30T00:00:00.000Z',
    ]);
    expect(next('20 2 * * *', 'Europe/Zurich', '2026-03-29T01:10:00Z')).toEqual(['2026-03-29T01:20:00.000Z']);
  });
});

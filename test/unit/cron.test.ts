import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertCron, nextFireTimes } from '@embedline/core';

const times = (cron: string, count: number, after: string, timeZone = 'Europe/Zurich') =>
  nextFireTimes({ cron, timeZone }, count, Date.parse(after)).map((date) => date.toISOString().slice(0, 16));

describe('a cron pattern', () => {
  test.each([
    ['* * *', /not a cron pattern: expected five fields/],
    ['@daily', /expected five fields.*every day at three/],
    ['', /expected five fields/],
    ['0 25 * * *', /not a cron pattern: .*range/],
    ['0 3 * * * * *', /expected five fields/],
  ])('%j is refused, with what was expected', (cron, message) => {
    expect(() => assertCron({ cron, timeZone: 'UTC' })).toThrow(message);
  });

  test('a time zone that is none is refused', () => {
    expect(() => assertCron({ cron: '0 3 * * *', timeZone: 'Mars/Olympus' })).toThrow(
      /no time zone "Mars\/Olympus"/,
    );
    expect(() => assertCron({ cron: '*/5 0 3 * * *', timeZone: 'America/New_York' })).not.toThrow();
  });

  test.each([
    ['H 3 * * *', /H would be another time on every server/],
    ['0 H(1-5) * * *', /H would be/],
    ['H/15 * * * *', /H would be/],
    ['*/70 * * * *', /step of 70 in "\*\/70" is longer than the field/],
    ['0 3 31 2 *', /not a cron pattern: /],
  ])('%j is refused: it would not be when it seems', (cron, message) => {
    expect(() => assertCron({ cron, timeZone: 'UTC' })).toThrow(message);
  });

  test.each(['0 3 * * THU', '0 3 * MAR *', '0 3 L * *', '0 3 * * 1#2', '*/30 0 3 * * *', '0 0 29 2 *'])(
    '%j is taken',
    (cron) => expect(() => assertCron({ cron, timeZone: 'UTC' })).not.toThrow(),
  );

  test('clocks that are changed by half an hour are followed', () => {
    expect(times('15 2 * * *', 2, '2026-10-03T00:00:00Z', 'Australia/Lord_Howe')).toEqual([
      '2026-10-03T15:45',
      '2026-10-04T15:15',
    ]);
  });

  test('a time that the change to summer time skips comes an hour later, once', () => {
    expect(times('30 2 * * *', 3, '2026-03-28T12:00:00Z')).toEqual([
      '2026-03-29T01:30',
      '2026-03-30T00:30',
      '2026-03-31T00:30',
    ]);
  });

  test('a time that the change to winter time repeats comes once', () => {
    expect(times('30 2 * * *', 3, '2026-10-24T12:00:00Z')).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
      '2026-10-27T01:30',
    ]);
  });

  test('a daily time comes once on every day of a year, in any time zone', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('Europe/Zurich', 'America/New_York', 'Asia/Kolkata', 'UTC'),
        fc.nat({ max: 23 }),
        fc.nat({ max: 59 }),
        (timeZone, hour, minute) => {
          const day = new Intl.DateTimeFormat('en-CA', { timeZone });
          const dates = nextFireTimes(
            { cron: `${minute} ${hour} * * *`, timeZone },
            366,
            Date.parse('2026-01-01T00:00Z'),
          );
          expect(new Set(dates.map((date) => day.format(date))).size).toBe(366);
        },
      ),
      { numRuns: 40 },
    );
  });
});

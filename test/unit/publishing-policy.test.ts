import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  NOTHING_LOST,
  refusalOf,
  type Change,
  type PublishingLimits,
} from '../../apps/producer/src/ingest/publishing-policy.ts';
import { parsePercentage } from '../../apps/producer/src/pipeline/percentage.ts';

const LIMITS: PublishingLimits = { maxDeleteShare: 0.2, maxGivenUpShare: 0.01 };
const change = (more: Partial<Change>): Change => ({
  how: 'publication',
  pipeline: 'docs',
  pointsNow: 100,
  pointsAfter: 100,
  lost: NOTHING_LOST,
  documentsGone: 0,
  chunksTotal: 100,
  chunksGivenUp: 0,
  recordsRejected: 0,
  ...more,
});

describe('what may take the place of what readers see', () => {
  test.each([
    ['nothing lost', {}, null],
    ['as much as is allowed', { lost: { ...NOTHING_LOST, vanished: 20 } }, null],
    [
      'a little of each cause',
      { lost: { vanished: 6, shortened: 5, unread: 5, givenUp: 4.5, unnamed: 1 } },
      'DELETE_GUARD',
    ],
    ['points of no pipeline', { lost: { ...NOTHING_LOST, unnamed: 21 } }, 'DELETE_GUARD'],
    ['one percent given up on', { chunksGivenUp: 1 }, null],
    ['two percent given up on', { chunksGivenUp: 2 }, 'GIVEN_UP_GUARD'],
    ['two percent given up on, in place', { chunksGivenUp: 2, how: 'in-place' }, null],
    ['an empty first load', { pointsNow: 0, pointsAfter: 0, chunksTotal: 0 }, null],
    [
      'a first load of rejected records',
      { pointsNow: 0, pointsAfter: 0, recordsRejected: 1 },
      'NOTHING_TO_PUBLISH',
    ],
    ['an emptied collection', { pointsAfter: 0, lost: { ...NOTHING_LOST, vanished: 100 } }, 'DELETE_GUARD'],
  ] as const)('%s', (_, more, code) => {
    expect(refusalOf(change(more), LIMITS)?.code ?? null).toBe(code);
  });

  test('what a refusal names as its approval is allowed, and no smaller percentage is', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.nat(1000),
        fc.nat(1000),
        fc.integer({ min: 1, max: 1000 }),
        (vanished, givenUp, more, total) => {
          const lost = { ...NOTHING_LOST, vanished: Math.min(vanished, total), givenUp: 0 };
          const chunksTotal = givenUp + more + 1;
          const one = change({ lost, pointsNow: total, chunksTotal, chunksGivenUp: givenUp });
          const none = { maxDeleteShare: 0, maxGivenUpShare: 0 };
          const first = refusalOf(one, none);
          if (first === null || first.percent === null) return;
          const approve = (percent: number): PublishingLimits =>
            first.code === 'DELETE_GUARD'
              ? { ...none, maxDeleteShare: percent / 100 }
              : { maxDeleteShare: 1, maxGivenUpShare: percent / 100 };
          expect(refusalOf(one, approve(first.percent))?.code).not.toBe(first.code);
          expect(refusalOf(one, approve(first.percent - 1))?.code).toBe(first.code);
        },
      ),
    );
  });
});

describe('a percentage', () => {
  test.each([
    ['20%', 20],
    ['20', 20],
    ['0', 0],
    ['0.6%', 0.6],
    ['33.5 %', 33.5],
    ['100', 100],
  ])('%s is read', (text, percent) => expect(parsePercentage(text)).toBe(percent));

  test.each([
    ['0.6', /0\.6 could mean 60% or 0\.6%/],
    ['.5', /expected a percentage/],
    ['0.05', /could mean 5% or 0\.05%/],
    ['120%', /from 0% to 100%/],
    ['-1', /from 0% to 100%/],
    ['', /from 0% to 100%/],
    ['1e1', /from 0% to 100%/],
  ])('%s is refused', (text, problem) =>
    expect(parsePercentage(text)).toEqual({ problem: expect.stringMatching(problem) as string }),
  );
});

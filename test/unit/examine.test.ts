import { expect, test } from 'vitest';
import type { Finding } from '@embedline/core';
import type { Check, Surroundings } from '../../apps/producer/src/doctor/check.ts';
import { examine } from '../../apps/producer/src/doctor/examine.ts';

const surroundings = (signal: AbortSignal) => ({ context: { signal } }) as Surroundings;
const fine: Check = {
  name: 'fine',
  examine: () => Promise.resolve([{ check: 'fine', verdict: 'ok', found: 'all of it', remedy: null }]),
};

async function findings(checks: readonly Check[], signal: AbortSignal): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of examine(checks, surroundings(signal))) found.push(finding);
  return found;
}

test('what a check of doctor throws is a problem, and the others go on', async () => {
  const broken: Check = { name: 'broken', examine: () => Promise.reject(new Error('no such thing')) };
  expect(await findings([broken, fine], new AbortController().signal)).toMatchObject([
    { check: 'broken', verdict: 'problem', found: 'no such thing' },
    { check: 'fine', verdict: 'ok' },
  ]);
});

test.each([
  ['throws', () => Promise.reject(new Error('The operation was aborted'))],
  ['takes it for a finding', () => fine.examine(surroundings(AbortSignal.abort()))],
])('a doctor that is interrupted ends, and calls nothing a problem: the check %s', async (_, end) => {
  const stop = new AbortController();
  const interrupted: Check = {
    name: 'interrupted',
    examine: () => {
      stop.abort(new Error('SIGINT'));
      return end();
    },
  };
  const never: Check = { name: 'never', examine: () => Promise.reject(new Error('was run')) };
  await expect(findings([interrupted, never], stop.signal)).rejects.toThrow('SIGINT');
});

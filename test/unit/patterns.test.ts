import { full } from 'acorn-walk';
import { expect, test } from 'vitest';
import { redactSecrets } from '@embedline/core';
import { safeText } from '../../apps/producer/src/terminal/safe-text.ts';
import { parseSources } from '../support/parse-sources.ts';

interface Pattern {
  readonly file: string;
  readonly regex: RegExp;
}

/** Every regular expression that is written in the sources. */
async function patternsOfSources(): Promise<Pattern[]> {
  const patterns: Pattern[] = [];
  for (const { file, program } of await parseSources()) {
    full(program, (node) => {
      const { value } = node as unknown as { value?: unknown };
      if (node.type === 'Literal' && value instanceof RegExp) patterns.push({ file, regex: value });
    });
  }
  return patterns;
}

/** Characters that the pattern itself speaks of are those that it goes back and forth over. */
function unitsFor({ source }: RegExp): string[] {
  const own = [...new Set(source.replaceAll(/\\./g, '').match(/[-\w:/@"'#.=<>]/g) ?? [])].slice(0, 8);
  const usual = ['a', '-', ' ', '0', '/', '"', '\n', '\\', '😀'];
  const pairs = own.flatMap((one) => [`${one} `, `${one}-`, `a${one}`]);
  return [...new Set([...own, ...usual, ...pairs])];
}

/** Milliseconds of the quickest of several runs. */
function timeOf(run: () => void, repeats: number): number {
  let best = Infinity;
  for (let index = 0; index < repeats; index += 1) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** Each four times the one before. The longest takes a quadratic pattern a second, and a cubic one is known before. */
const LENGTHS = [256, 1024, 4096, 16_384];
/** What is over sooner is not told from noise. */
const MEASURABLE_MS = 4;
/** Four times the text takes four times as long if time is linear, and 16 times if it is quadratic. */
const MAX_RATIO = 9;

/** The texts for which time grows faster than they do. */
function slowOn(units: readonly string[], run: (text: string) => void): string[] {
  return units.filter((unit) => {
    let previous = Infinity;
    for (const length of LENGTHS) {
      const text = `${unit.repeat(length / unit.length)}\u0001`;
      const ms = timeOf(() => run(text), previous < 1 || previous === Infinity ? 5 : 2);
      if (ms > MEASURABLE_MS && ms / previous > MAX_RATIO) return true;
      previous = Math.max(ms, 0.05);
    }
    return false;
  });
}

test('no pattern in the sources takes more than linear time', async () => {
  const patterns = await patternsOfSources();
  expect(patterns.length).toBeGreaterThan(50);
  const slow = patterns.flatMap(({ file, regex }) => {
    const units = slowOn(unitsFor(regex), (text) => {
      regex.lastIndex = 0;
      if (regex.global) text.replaceAll(regex, '');
      else regex.exec(text);
    });
    return units.length === 0 ? [] : [`${file}: ${String(regex)} on ${JSON.stringify(units)}`];
  });
  expect(slow).toEqual([]);
});

test('this test tells a slow pattern from a quick one', () => {
  expect(slowOn(['-'], (text) => void /-*-*x/.exec(text))).toEqual(['-']);
  expect(slowOn(['-'], (text) => void text.replaceAll(/-+/g, ''))).toEqual([]);
});

test('messages are redacted and made safe in linear time, whatever they hold', () => {
  const units = [
    '-',
    '--a',
    '--token ',
    '://',
    'a://b@',
    'token=',
    'password: "',
    '@',
    '\u001b[',
    '\u202e',
    'a',
  ];
  expect(slowOn(units, (text) => void redactSecrets(text))).toEqual([]);
  expect(slowOn(units, (text) => void safeText(text))).toEqual([]);
});

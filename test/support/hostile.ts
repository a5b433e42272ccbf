import fc from 'fast-check';

/** Text that breaks careless programs; all of it well-formed Unicode, none of it a line feed. */
export const HOSTILE_UNITS = [
  'word ',
  'Sentence one. ',
  '\u2028',
  '\u2029',
  '\u0085',
  '\uFEFF',
  '\0',
  '\u001b[31m',
  '\u007f',
  '"',
  '\\',
  ',',
  '\t',
  '{',
  ']',
  '😀',
  '👩‍👩‍👧‍👦',
  'שלום',
  '\u202eabc\u202c',
  'e\u0301\u0302\u0303',
  '\u200b\u200d\ufeff',
  '漢字。',
  '\u{10FFFF}',
  '\uFFFD',
  '\uFFFF',
  '__proto__',
  '-0',
  'ﷺ'.repeat(5),
] as const;

export const hostileText = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom<string>(...HOSTILE_UNITS) },
      { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 900 }).map((length) => 'x'.repeat(length)) },
    ),
    { maxLength: 14 },
  )
  .map((parts) => parts.join('').replaceAll('\n', ' '));

/** Bytes that are not UTF-8: stray ones, cut ones, overlong ones, and surrogates as CESU-8 has them. */
export const invalidUtf8 = fc
  .constantFrom('ff', 'c3', 'e282', 'c080', 'eda080', 'eda0bdedb880', 'f5808080', '80')
  .map((hex) => Buffer.from(hex, 'hex'));

export function nested(open: string, close: string, levels = 10_000): string {
  return open.repeat(levels) + '1' + close.repeat(levels);
}

export const blockSize = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(64, 4096, 100_000));

/** Every case is made from this, so that a failure is the same one tomorrow. */
export function seeded(cases: number): { seed: number; numRuns: number } {
  return { seed: 20_260_101, numRuns: cases };
}

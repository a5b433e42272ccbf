import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { callWithin } from '../../packages/core/src/embedder/bounded-call.ts';
import { loadTokenizer } from '../../packages/core/src/embedder/tokenizer.ts';
import { tinyModelsFolder } from '../support/model-folder.ts';

const tiny = JSON.parse(
  await readFile(new URL('../fixtures/tiny-models/steady/tokenizer.json', import.meta.url), 'utf8'),
) as object;

/** The tiny model, with other parts of its tokenizer. */
async function load(parts: object) {
  const models = await tinyModelsFolder({ 'tokenizer.json': { ...tiny, ...parts } });
  return loadTokenizer(join(models, 'tiny'), { limitMs: 200 });
}

const split = (Regex: string) => ({
  type: 'Split',
  pattern: { Regex },
  behavior: 'Isolated',
  invert: false,
});
const replace = (pattern: object, content: string) => ({ type: 'Replace', pattern, content });

describe('14.13: patterns of a tokenizer.json', () => {
  test.each([
    ['nested repetition', { pre_tokenizer: split('(a+)+$') }],
    ['alternatives that overlap', { pre_tokenizer: split('(?:x|xx|x)+y') }],
    ['overlap of classes', { pre_tokenizer: split('(\\w|\\d)*-') }],
    [
      'one within a sequence',
      { pre_tokenizer: { type: 'Sequence', pretokenizers: [split('\\s+'), split('(0*)*1')] } },
    ],
    ['one of the normalizer', { normalizer: replace({ Regex: '( *)*!' }, ' ') }],
  ])('that take exponential time are refused within seconds: %s', async (_, parts) => {
    await expect(load(parts)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(
        /^The tokenizer of the model in .*tiny is not usable: it takes more than 0.2 s/,
      ),
    });
  });

  test('that were found quick are ended when a text makes them slow', async () => {
    const tokenizer = await load({ pre_tokenizer: split('(?:\\x77+)+v') });
    expect(tokenizer.count('alpha beta')).toBeGreaterThan(0);
    expect(() => tokenizer.count(`${'w'.repeat(400)}!`)).toThrow(
      'it takes more than 0.2 s for 401 characters',
    );
  });

  test.each([
    ["GPT-2's", `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`],
    [
      "Qwen's",
      `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    ],
  ])('of known models work: %s', async (_, pattern) => {
    const tokenizer = await load({ pre_tokenizer: split(pattern) });
    expect(tokenizer.count('alpha '.repeat(500))).toBeGreaterThan(0);
  });

  test('replacements that multiply a text are refused', async () => {
    const steps = Array.from({ length: 6 }, () => replace({ String: 'a' }, 'a'.repeat(100)));
    await expect(load({ normalizer: { type: 'Sequence', normalizers: steps } })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('may make a text 1000000000000 times as long'),
    });
  });
});

test('a bounded call passes on results and errors, also of another bounded call', () => {
  const never = () => new Error('too long');
  expect(callWithin(2_000, () => callWithin(2_000, () => 'inner', never), never)).toBe('inner');
  expect(() =>
    callWithin(
      2_000,
      () => {
        throw new RangeError('its own');
      },
      never,
    ),
  ).toThrow(RangeError);
  expect(() => callWithin(20, () => /(a+)+$/.test(`${'a'.repeat(60)}b`), never)).toThrow('too long');
});

import { describe, expect, test } from 'vitest';
import { createChunker, cutText } from '@embedline/core';
import { wordCounter } from '../support/word-counter.ts';

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const lengthsOf = (text: string) => [...segmenter.segment(text)].map(({ segment }) => segment.length);

describe('characters of several code points are not torn (issue 13, C15)', () => {
  test.each<[string, string]>([
    ['a family', '👨‍👩‍👧‍👦'],
    ['a family with skin tones', '👨🏽‍👩🏽‍👧🏽‍👦🏽'],
    ['a flag', '🇩🇪'],
    ['the flag of a region', '🏴󠁧󠁢󠁳󠁣󠁴󠁿'],
    ['a letter with combining marks', 'e\u0301\u0323'],
    ['a keycap', '1️⃣'],
    ['a syllable of Hangul in parts', '\u1112\u1161\u11ab'],
  ])('%s', (_, character) => {
    const text = character.repeat(400);
    const chunk = createChunker({ maxTokens: 64, overlapTokens: 0 }, wordCounter);
    const chunks = chunk({ text, title: null });
    expect(chunks.length).toBeGreaterThan(1);
    for (const { start, end } of chunks)
      expect([start, end].map((at) => at % character.length)).toEqual([0, 0]);
    for (let length = 1; length < 4 * character.length; length += 1) {
      const cut = cutText(text, length);
      expect(cut.length).toBeLessThanOrEqual(length);
      if (length >= character.length) expect(new Set(lengthsOf(cut))).toEqual(new Set([character.length]));
    }
  });

  test.each([
    ['no overlap', 0],
    ['an overlap', 5],
  ])('of many scripts in one run, in small chunks: %s', (_, overlapTokens) => {
    const characters = ['👨‍👩‍👧‍👦', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'क्षि', 'ක්‍ෂ', '각', '각', '🏳️‍🌈', 'ก็', '字', '。\ufe00', 'a', 'ﷺ'];
    const chunk = createChunker({ maxTokens: 16, overlapTokens }, wordCounter);
    for (let step = 1; step < 24; step += 1) {
      const text = Array.from({ length: 60 }, (__, at) => characters[(at * step + (at >> 2)) % 12]).join('');
      const ends = new Set([0]);
      for (const { index, segment } of segmenter.segment(text)) ends.add(index + segment.length);
      const places = chunk({ text, title: null }).flatMap(({ start, end }) => [start, end]);
      expect(places.filter((place) => !ends.has(place))).toEqual([]);
    }
  });

  test('one that is longer than any that people write is cut between code points', () => {
    const chunk = createChunker({ maxTokens: 16, overlapTokens: 0 }, wordCounter);
    const text = `e${'\u0301'.repeat(500)}`;
    const chunks = chunk({ text, title: null });
    expect(chunks.map((one) => one.text).join('')).toBe(text);
    expect(Math.max(...chunks.map(({ tokens }) => tokens))).toBeLessThanOrEqual(16);
  });
});

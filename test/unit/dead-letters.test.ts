import { giveUpChunk, type DeadLetter } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { reject } from '../../apps/producer/src/readers/read-item.ts';
import { progressLine } from '../../apps/producer/src/terminal/progress-line.ts';
import { renderDeadLetters } from '../../apps/producer/src/terminal/dead-letters.ts';
import { countOf } from '../../apps/producer/src/terminal/format.ts';
import { styleFor } from '../../apps/producer/src/terminal/style.ts';
import { chunkOf } from '../support/points.ts';

const plain = styleFor({ isTTY: false, columns: 100 }, {});

const letter = (line: number, reason: string, code = 'RECORD_INVALID'): DeadLetter => ({
  key: `k${line}`,
  stage: 'read',
  code,
  reason,
  documentId: null,
  chunkIndex: null,
  origin: { file: 'a.jsonl', line },
  excerpt: null,
  attempts: 1,
});

function listing(letters: readonly DeadLetter[], counts: Record<string, number> = {}, code?: string): string {
  const byCode = Object.fromEntries(
    [...Map.groupBy(letters, ({ code: name }) => name)].map(([name, { length }]) => [name, length]),
  );
  const deadLettersByCode = { ...byCode, ...counts };
  const deadLetters = Object.values(deadLettersByCode).reduce((sum, count) => sum + count, 0);
  const run = { spec: { runId: 'r1' }, state: 'done', deadLetters, deadLettersByCode } as never;
  return renderDeadLetters(run, letters, plain, code);
}

/** The numbers of the groups. */
const groupsOf = (text: string) =>
  [...text.matchAll(/^([\d,]+) {2}/gm)].map(([, count = '']) => Number(count.replaceAll(',', '')));

describe('the listing of dead letters', () => {
  test('leaves digits as they are, and replaces only what differs within a cause', () => {
    const reasons = [1, 2].map((line) => letter(line, `line ${line} is not UTF-8, HTTP 413 of "x"`));
    expect(listing(reasons)).toContain('\n2  RECORD_INVALID  line … is not UTF-8, HTTP 413 of "x"\n');
    expect(listing([letter(7, 'e5-large got 512 tokens')])).toContain(
      'RECORD_INVALID  e5-large got 512 tokens\n',
    );
    const named = ['"a"', '"b"'].map((name, index) => letter(index, `field ${name} is 3 times there`));
    expect(listing(named)).toContain('2  RECORD_INVALID  field "…" is 3 times there');
    expect(listing([letter(1, 'x 1'), letter(2, 'y 1')])).toMatch(/\n1 {2}.* {2}x 1\n[^]*\n1 {2}.* {2}y 1\n/);
  });

  test('13.21 shows the remedy of a cause whole, in lines that fit, and lists of names as one', () => {
    const long = `not UTF-8 at byte 2: it seems to be windows-1252; read it with --encoding windows-1252 ${'or '.repeat(40)}(--text-field)`;
    const terminal = styleFor({ isTTY: true, columns: 40 }, { NO_COLOR: '1' });
    const run = { spec: { runId: 'r1' }, state: 'done', deadLetters: 1, deadLettersByCode: {} } as never;
    const [, , ...lines] = renderDeadLetters(run, [letter(1, long)], terminal).split('\n');
    const cause = lines.slice(0, -1);
    expect(cause.every((line) => line.length <= 40)).toBe(true);
    expect(cause.map((line) => line.trim()).join(' ')).toContain('--encoding windows-1252 or');
    expect(cause.at(-1)).toMatch(/\(--text-field\)$/);
    expect(listing([letter(1, long)])).toContain(`${long}\n`);
    const lists = ['"a", "b"', '"c"', '"d", "e", "f"'].map((names, line) =>
      letter(line, `it has ${names} (--x)`),
    );
    expect(listing(lists)).toContain('3  RECORD_INVALID  it has "…" (--x)\n');
  });

  test('counts one as one', () => {
    expect(listing([letter(1, 'x')])).toMatch(/^1 dead letter of run r1\n/);
    expect(listing([letter(1, 'x'), letter(2, 'x')])).toMatch(/^2 dead letters of run r1\n/);
    expect([0, 1, 2, 1000].map((count) => countOf(count, 'run'))).toEqual([
      '0 runs',
      '1 run',
      '2 runs',
      '1,000 runs',
    ]);
    const run = { deadLetters: 1, chunksPerSecond: 0, endedAtMs: null, state: 'running', stage: 'reading' };
    const view = {
      run,
      chunksDone: 0,
      chunksExpected: null,
      share: null,
      etaSeconds: null,
      waitingFor: null,
    };
    expect(progressLine(view as never, plain)).toMatch(/ 1 dead letter$/);
  });

  test('of which details are missing adds up to its total, by cause', () => {
    const kept = Array.from({ length: 100 }, (_, index) => letter(index, 'x'));
    const text = listing(kept, { RECORD_INVALID: 150, EMBEDDING_FAILED: 50 });
    expect(text).toMatch(/^200 dead letters of run r1; details are kept of 100\n/);
    expect(groupsOf(text)).toEqual([100, 50, 50]);
    expect(text).toContain('50  RECORD_INVALID  of which only the number is kept');
    expect(groupsOf(listing(kept, { RECORD_INVALID: 150, EMBEDDING_FAILED: 50 }, 'RECORD_INVALID'))).toEqual([
      100, 50,
    ]);
    const none = listing(kept, { RECORD_INVALID: 150, EMBEDDING_FAILED: 50 }, 'EMBEDDING_FAILED');
    expect(none).toMatch(/^50 dead letters of run r1; details are kept of 0\n/);
  });

  test('of a run of version 0.1.0, which counted no codes, adds up too', () => {
    const run = { spec: { runId: 'r1' }, state: 'done', deadLetters: 20_000, deadLettersByCode: {} } as never;
    const kept = Array.from({ length: 10_000 }, (_, index) => letter(index, 'x'));
    const text = renderDeadLetters(run, kept, plain);
    expect(groupsOf(text)).toEqual([10_000, 10_000]);
  });
});

describe('13.15 excerpts and reasons end between characters as people see them', () => {
  const family = '👨‍👩‍👧‍👦';
  test.each([
    ['a family', family],
    ['a flag', '🇩🇪'],
    ['a letter with marks', 'e\u0301\u0323'],
    ['an emoji', '😀'],
  ])('%s', (_, character) => {
    const text = `x${character.repeat(500)}`;
    const run = { runId: 'r1', stage: 'embed', code: 'EMBEDDING_FAILED', attempts: 1 } as const;
    const letter = giveUpChunk(chunkOf('a', text), { ...run, reason: text });
    const { deadLetter } = reject({ file: 'a' }, { reason: 'bad', excerpt: text });
    for (const shown of [letter.excerpt, letter.reason, deadLetter.excerpt]) {
      expect(shown?.length).toBeLessThanOrEqual(1000);
      expect(shown).toBe(`x${character.repeat(((shown?.length ?? 0) - 1) / character.length)}`);
    }
  });
});

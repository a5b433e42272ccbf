import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { safeJson, safeText } from '@embedline/core/base';
import { displayWidth, wrap } from '../../apps/producer/src/terminal/safe-text.ts';
import { progressLine } from '../../apps/producer/src/terminal/progress-line.ts';
import { renderHits } from '../../apps/producer/src/terminal/hits.ts';
import { viewRun } from '../../apps/producer/src/terminal/run-view.ts';
import { styleFor } from '../../apps/producer/src/terminal/style.ts';
import { renderTable } from '../../apps/producer/src/terminal/table.ts';
import { runOf } from '../support/run-of.ts';

const narrow = (columns: number) => styleFor({ isTTY: true, columns }, { NO_COLOR: '1' });
const widths = (text: string) => text.split('\n').map(displayWidth);

describe.each([40, 60, 80, 120])('a terminal of %i columns', (columns) => {
  const style = narrow(columns);

  test('holds the progress of a run with all that one needs', () => {
    const run = runOf({ deadLetters: 1_234, chunksPerSecond: 1_234, counts: { chunksTotal: 1_234_567 } });
    const line = progressLine(viewRun(run, []), style);
    for (const part of ['chunks', '/s', 'ETA ', 'embedding', '1,234 dead letters', 'embedline-worker)'])
      expect(line.replaceAll('\n', ' ').replaceAll(/ +/g, ' ')).toContain(part);
    expect(Math.max(...widths(line))).toBeLessThan(columns);
  });

  test('holds tables, whose cells go on in their column; ids stay whole', () => {
    const id = '20261127T132328-868360';
    const rows = [[id, 'a name of many words that goes on and on', '1,234,567', 'x'.repeat(50)]];
    const headers = [{ header: 'RUN', whole: true }, { header: 'NAME' }, { header: 'N' }, { header: 'PATH' }];
    const table = renderTable(headers, rows, style);
    expect(table).toContain(id);
    for (const word of ['many', 'on', '1,234,567']) expect(table).toContain(word);
    expect(table.match(/x/g)).toHaveLength(50);
    if (columns > 70) expect(Math.max(...widths(table))).toBeLessThanOrEqual(columns);
  });

  test('holds hits with their whole ids and titles', () => {
    const documentId = `${'folder/'.repeat(12)}file.md`;
    const hit = {
      id: 'x',
      score: 0.5,
      documentId,
      chunkIndex: 0,
      text: 'word '.repeat(80),
      start: 0,
      end: 9,
      title: 'Section > '.repeat(9),
      metadata: { tag: 'value '.repeat(20) },
    };
    const shown = renderHits('word', [hit], style);
    expect(Math.max(...widths(shown))).toBeLessThanOrEqual(columns);
    expect(shown.replaceAll(/\s/g, '')).toContain(documentId);
  });
});

test('13.21 a snippet has three lines at most, the last of which says when there is more', () => {
  const snippetOf = (text: string) => {
    const hit = {
      id: 'x',
      score: 1,
      documentId: 'd',
      chunkIndex: 0,
      text,
      start: 0,
      end: 9,
      title: null,
      metadata: {},
    };
    return renderHits('needle', [hit], narrow(46))
      .split('\n')
      .slice(2)
      .map((line) => line.trim());
  };
  expect(snippetOf('one needle')).toEqual(['one needle']);
  expect(snippetOf(`${'hay '.repeat(300)}needle ${'hay '.repeat(300)}`)).toEqual([
    '… hay hay hay hay hay hay hay hay needle',
    'hay hay hay hay hay hay hay hay hay hay',
    'hay hay hay hay hay hay hay hay hay hay…',
  ]);
  const long = snippetOf('x'.repeat(1_000_000));
  expect(long.map(({ length }) => length)).toEqual([40, 40, 40]);
  expect(long[2]).toMatch(/^x+…$/);
});

test('a table for a program is of any width', () => {
  const piped = styleFor({ isTTY: false, columns: 40 }, {});
  expect(renderTable([{ header: 'A' }], [['x'.repeat(200)]], piped).split('\n')).toHaveLength(2);
});

test('the last bar of a run that is done says 100 %', () => {
  expect(progressLine(viewRun(runOf({ state: 'done', stage: 'ended' }), []), narrow(80))).toContain('100%');
});

test('a command that starts workers does not ask for one', () => {
  expect(viewRun(runOf({}), []).waitingFor).toContain('npx embedline-worker');
  expect(viewRun(runOf({}), [], true).waitingFor).toBe('its own workers to start');
});

test('wrapping loses nothing but blanks, and keeps to the width', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.integer({ min: 4, max: 60 }),
      (raw, columns) => {
        const text = safeText(raw);
        const lines = wrap(text, columns);
        expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
      },
    ),
    { numRuns: 500 },
  );
});

describe('text that steers a terminal', () => {
  const hostile = 'a\u001b[2Jb\u009b1mc\u202ed\u061ce\u2066f\u00adg\u200bh\u{e0041}i\u0085j\u2028k';

  test('is made visible, or left out where it is only invisible', () => {
    expect(safeText(hostile)).toMatch(/^[\x20-\x7e\uFFFD]*$/);
    expect(safeText('नम\u200dस्ते 👨\u200d👩\u200d👧 ')).toContain('\u200d');
  });

  test('is escaped in JSON, which still holds all of it', () => {
    expect(safeJson({ text: hostile, [hostile]: 1 })).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(safeJson({ text: hostile }))).toEqual({ text: hostile });
  });
});

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);
const page = await readFile(new URL('SECURITY.md', root), 'utf8');
const isThere = (path: string) => existsSync(fileURLToPath(new URL(path, root)));

test('14: every row of "Who may write where" names tests, and each of them is there', () => {
  const [, section = ''] = page.split('## Who may write where');
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => /^\| (?!who may|-)/.test(line));
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) {
    const cells = row.split('|').slice(1, -1);
    expect(cells).toHaveLength(4);
    const tests = [...(cells[3] ?? '').matchAll(/`(test\/[^`]+)`/g)].map(([, path = '']) => path);
    expect(tests.length, row).toBeGreaterThan(0);
    expect(
      tests.filter((path) => !isThere(path)),
      row,
    ).toEqual([]);
  }
});

test('14: every file that the page names is there', () => {
  const named = [...page.matchAll(/`((?:test|docs|deploy|scripts)\/[\w./-]+)`/g)].map(
    ([, path = '']) => path,
  );
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((path) => !isThere(path))).toEqual([]);
});

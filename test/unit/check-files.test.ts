import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as readAll } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createChunker } from '@embedline/core';
import { checkFiles } from '../check-files/check-files.ts';
import { renderCheck } from '../check-files/render-check.ts';
import { folderWith } from '../support/read-corpus.ts';
import { wordCounter } from '../support/word-counter.ts';

const limits = { counter: wordCounter, maxTokens: 16 };
const chunk = createChunker({ maxTokens: 16, overlapTokens: 0 }, wordCounter);
const files = {
  'a.txt': 'Plain text.\r\nOf two lines.\r\n',
  'deep/er/b.md': '---\ntitle: B\n---\n# Heading\n\nA paragraph.\n',
  'c.csv': 'name;said\nAda;"Hello; world"\n',
  'd.tsv': 'name\tsaid\nAda\tA 5" disk\n',
  'e.jsonl': '{"content":"of a chat"}\n{"count":1}\n',
  'f.txt.gz': gzipSync('Packed text.'),
  'g.txt': Buffer.from('Zwei Stra\xdfen.\n', 'latin1'),
  'h.txt': Buffer.from('\uFEFFWide text.', 'utf16le'),
  '.hidden/node_modules/i/README.md': '# Read me\n',
  'j.pdf': '%PDF',
};

test('13 check-files reads every format, and tells what was refused and ignored, by cause', async () => {
  const cwd = await folderWith(files);
  const checked = await checkFiles({ folders: ['.'], cwd, chunk, limits });
  expect(checked).toMatchObject({
    documents: { text: 3, markdown: 2, csv: 4, jsonl: 1 },
    violations: [],
    refused: [
      { cause: expect.stringContaining('no text') as string, count: 1, at: 'e.jsonl:2' },
      { cause: expect.stringContaining('not UTF-8 at byte N') as string, count: 1, at: 'g.txt' },
    ],
    report: { ignored: { files: 1, byEnding: { '.pdf': 1 } } },
  });
  expect(renderCheck(checked, 1.25).join('\n')).toMatch(
    /in 1\.3 s[^]*\.pdf 1[^]*refused: 2[^]*violations: 0/,
  );
});

test('13 check-files tells of text that a chunker loses, and of one that fails', async () => {
  const cwd = await folderWith({ 'a.txt': 'One. '.repeat(20), 'b.txt': 'Two.' });
  const losing = await checkFiles({
    folders: ['.'],
    cwd,
    limits,
    chunk: (document) => chunk(document).slice(1),
  });
  expect(losing.violations.join('\n')).toMatch(
    /a\.txt: chunk 0 .* has the index 1[^]*b\.txt: .* in no chunk/,
  );
  const failing = () => {
    throw new TypeError('no way');
  };
  const failed = await checkFiles({ folders: ['.'], cwd, limits, chunk: failing });
  expect(failed.violations).toEqual([
    expect.stringContaining('a.txt: cutting it failed: TypeError: no way'),
    expect.stringContaining('b.txt: cutting it failed'),
  ]);
  expect(renderCheck(failed, 1).at(-1)).toContain('b.txt');
});

test('13 the program check-files exits with 0 when all is well, with 2 for a folder that is not there', async () => {
  const cwd = await folderWith(files);
  const run = async (...args: string[]) => {
    const program = fileURLToPath(new URL('../check-files/main.ts', import.meta.url));
    const child = spawn(process.execPath, [program, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'exit');
    const [output, errors] = await Promise.all([readAll(child.stdout), readAll(child.stderr)]);
    return { code: ((await ended) as [number])[0], output, errors };
  };
  const [well, missing] = await Promise.all([run('.'), run('nowhere')]);
  expect(well).toMatchObject({ code: 0, output: expect.stringContaining('violations: 0') as string });
  expect(missing).toMatchObject({ code: 2, errors: expect.stringContaining('nowhere') as string });
});

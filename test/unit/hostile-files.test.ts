import { execFileSync } from 'node:child_process';
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Corpus, type CorpusOptions } from '../../apps/producer/src/readers/corpus.ts';
import { fileBlocks } from '../../apps/producer/src/readers/file-blocks.ts';
import { DEFAULT_READ_LIMITS } from '../../apps/producer/src/readers/read-item.ts';
import { parseMetadataFields } from '../../apps/producer/src/readers/metadata-fields.ts';
import { safeText } from '../../apps/producer/src/terminal/safe-text.ts';
import { collect, RECORD_OPTIONS } from '../support/read-items.ts';
import { temporaryDirectory } from '../support/temporary.ts';

function corpusOf(cwd: string, options: Partial<CorpusOptions> = {}): Corpus {
  const limits = DEFAULT_READ_LIMITS;
  return new Corpus({
    ...RECORD_OPTIONS,
    limits,
    sources: ['in'],
    cwd,
    stdin: Readable.from([]),
    ...options,
  });
}

async function readAll(cwd: string, options: Partial<CorpusOptions> = {}) {
  const corpus = corpusOf(cwd, options);
  const { documents, rejects, problem } = await collect(corpus.read());
  expect(problem).toBeNull();
  return {
    ids: documents.map(({ id }) => id),
    documents,
    reasons: rejects.map(({ origin, reason }) => `${origin?.file ?? '?'}: ${reason}`),
    rejects,
    problems: corpus.problemCount,
    links: corpus.report.links.sample.map(({ path, why }) => `${path}: ${why}`),
  };
}

async function directoryWith(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const cwd = await temporaryDirectory();
  await mkdir(join(cwd, 'in'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, 'in', name), content);
  return cwd;
}

describe('what is not a regular file is not opened', () => {
  const special = async () => {
    const cwd = await directoryWith({ 'good.txt': 'Good.' });
    execFileSync('mkfifo', [join(cwd, 'in', 'fifo.txt')]);
    await symlink('/dev/zero', join(cwd, 'in', 'device.txt'));
    await symlink('fifo.txt', join(cwd, 'in', 'link.txt'));
    await symlink('.', join(cwd, 'in', 'loop'));
    const server = createServer();
    onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
    await new Promise<void>((resolve) => server.listen(join(cwd, 'in', 'socket.txt'), resolve));
    return cwd;
  };

  test.each([['in'], ['in/*.txt'], ['in/**/*.txt']])('in %s', async (source) => {
    const { ids, reasons, problems, links } = await readAll(await special(), {
      sources: [source],
      followLinks: true,
    });
    expect(ids).toEqual(['good.txt']);
    expect(reasons).toEqual([
      'in/fifo.txt: it is not a regular file',
      'in/socket.txt: it is not a regular file',
    ]);
    expect(problems).toBe(2);
    expect(links.filter((link) => !link.includes('loop'))).toEqual([
      'in/device.txt: it leads out of in',
      'in/link.txt: it leads to something that is not a regular file',
    ]);
  });

  test.each([['in/fifo.txt'], ['in/device.txt'], ['in/link.txt'], ['in/socket.txt'], ['/dev/null']])(
    'named itself: %s',
    async (source) => {
      const { ids, reasons } = await readAll(await special(), { sources: [source], format: 'text' });
      expect([ids, reasons]).toEqual([[], [`${source}: it is not a regular file`]]);
    },
  );

  test('what /proc makes up while it is read does not count as read', async () => {
    if (process.platform !== 'linux') return;
    const { ids, reasons, problems } = await readAll('/', { sources: ['/proc/self/limits'], format: 'text' });
    expect([ids, problems]).toEqual([[], 1]);
    expect(reasons).toEqual([expect.stringMatching(/changed while it was read/)]);
  });

  test('metadata beside a text is read from a regular file alone, and from one of bounded length', async () => {
    const cwd = await directoryWith({
      'fifo.txt': 'x',
      'link.txt': 'x',
      'long.txt': 'x',
      'twice.txt': 'x',
      'mark.txt': 'x',
      'long.json': ' '.repeat(DEFAULT_READ_LIMITS.maxLineBytes + 1),
      'twice.json': '{"kept":1,"kept":2}',
      'mark.json': '\uFEFF{"kept":1}',
    });
    execFileSync('mkfifo', [join(cwd, 'in', 'fifo.json')]);
    await writeFile(join(cwd, 'secret.json'), '{"kept":"secret"}');
    await symlink('../secret.json', join(cwd, 'in', 'link.json'));
    expect((await readAll(cwd)).documents).toHaveLength(5);
    const { documents, reasons, problems } = await readAll(cwd, { strictMetadata: true });
    expect(documents.map(({ id, metadata }) => [id, metadata['kept']])).toEqual([['mark.txt', 1]]);
    expect(reasons).toEqual([
      expect.stringMatching(/fifo\.json cannot be read: it is not a regular file/),
      expect.stringMatching(/link\.json cannot be read: it is a link/),
      expect.stringMatching(/long\.json cannot be read: it is 8388609 bytes long/),
      expect.stringMatching(/twice\.txt: field "kept": field "kept" is there twice/),
    ]);
    expect(problems).toBe(0);
  });
});

// The superuser may read everything.
test.skipIf(process.getuid?.() === 0).each([['in'], ['in/**/*.txt']])(
  'a directory that may not be read makes the reading incomplete: %s',
  async (source) => {
    const cwd = await directoryWith({ 'good.txt': 'Good.' });
    await mkdir(join(cwd, 'in', 'locked'), { mode: 0o000 });
    const { ids, reasons, problems } = await readAll(cwd, { sources: [source] });
    expect([ids, problems]).toEqual([['good.txt'], 1]);
    expect(reasons).toEqual([expect.stringMatching(/^in\/locked: the directory cannot be read/)]);
  },
);

describe('links', () => {
  test('a directory that leads out is not walked, and a glob does not reach through it', async () => {
    const cwd = await directoryWith({ 'good.txt': 'Good.' });
    await mkdir(join(cwd, 'out'));
    await writeFile(join(cwd, 'out', 'secret.txt'), 'Secret.');
    await symlink('../out', join(cwd, 'in', 'leads'));
    for (const followLinks of [false, true]) {
      expect(await readAll(cwd, { followLinks })).toMatchObject({
        ids: ['good.txt'],
        reasons: [],
        problems: 0,
        links: [expect.stringMatching(/^in\/leads: it leads (?:to a folder|out of in)/)],
      });
      await expect(readAll(cwd, { sources: ['in/{leads,none}/*.txt'], followLinks })).rejects.toThrow(
        /1 links? not followed/,
      );
    }
  });

  test('one that was named itself is followed, under its own name', async () => {
    const cwd = await directoryWith({ 'v2.jsonl': '{"id":"a","text":"x"}\n', 'v2.txt': 'x' });
    await symlink('v2.jsonl', join(cwd, 'in', 'current.jsonl'));
    await symlink('v2.txt', join(cwd, 'in', 'current.txt'));
    const { ids, reasons } = await readAll(cwd, { sources: ['in/current.jsonl', 'in/current.txt'] });
    expect([ids, reasons]).toEqual([['a', 'current.txt'], []]);
  });
});

test('names of files: line breaks and control characters are part of the id and safe to print; other bytes are refused', async () => {
  const names = ['a\nb.txt', 'c\u001b[2Jd.txt', 'e\u202ef.txt', '-rf.txt', '\uFFFD.txt'];
  const cwd = await directoryWith(Object.fromEntries(names.map((name) => [name, 'x'])));
  const path = (hex: string) => Buffer.concat([Buffer.from(join(cwd, 'in/')), Buffer.from(hex, 'hex')]);
  await writeFile(path('ff2e747874'), 'not to be taken for the other one');
  await mkdir(path('fe'));
  const { ids, reasons, rejects, problems } = await readAll(cwd);
  expect(ids).toEqual([...names].sort());
  expect(reasons).toEqual([
    expect.stringMatching(/^in\/\uFFFD: its name is not UTF-8/),
    expect.stringMatching(/^in\/\uFFFD\.txt: its name is not UTF-8/),
  ]);
  expect(rejects.every(({ key }) => key.isWellFormed())).toBe(true);
  expect(problems).toBe(2);
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  for (const id of ids) expect(safeText(id)).not.toMatch(/[\u0000-\u001f\u202e]/);
});

test('a file that shrinks, is written anew or is gone makes the reading incomplete; one that is unlinked was read', async () => {
  const content = '{"id":"a","text":"x"}\n'.repeat(40_000);
  const change = async (how: (path: string) => Promise<void>) => {
    const cwd = await directoryWith({ 'a.jsonl': content });
    const corpus = corpusOf(cwd);
    let first = true;
    for await (const item of corpus.read()) {
      if (first && item.type === 'document') await how(join(cwd, 'in', 'a.jsonl'));
      first = false;
    }
    return corpus.problems;
  };
  const changed = [expect.stringMatching(/^in\/a\.jsonl: the file changed while it was read$/)];
  expect(await change((path) => truncate(path, 400_000))).toEqual(changed);
  expect(await change((path) => truncate(path, 0))).toEqual(changed);
  expect(await change((path) => writeFile(path, content.replaceAll('x', 'y')))).toEqual(changed);
  expect(await change((path) => rm(path))).toEqual([]);
  const options = { gzip: false, limits: DEFAULT_READ_LIMITS, onBytes: () => undefined };
  const gone = fileBlocks(join(await temporaryDirectory(), 'gone.txt'), options);
  await expect(gone.next()).rejects.toThrow('the file cannot be opened (ENOENT)');
});

test('limits are told by the flag that changes them', async () => {
  const cwd = await directoryWith({
    'a.jsonl': `{"id":"a","text":"${'x'.repeat(500)}","title":"${'t'.repeat(300)}"}\n`,
  });
  const limits = (changes: Partial<typeof DEFAULT_READ_LIMITS>) =>
    readAll(cwd, {
      limits: { ...DEFAULT_READ_LIMITS, ...changes },
      metadataFields: parseMetadataFields('text'),
      strictMetadata: true,
    });
  const told = async (changes: Partial<typeof DEFAULT_READ_LIMITS>) => (await limits(changes)).reasons;
  expect(await told({ maxLineBytes: 100 })).toEqual([expect.stringMatching(/\(--max-line-bytes\)$/)]);
  expect(await told({ maxDocumentBytes: 100 })).toEqual([expect.stringMatching(/\(--max-document-bytes\)$/)]);
  expect(await told({ maxMetadataBytes: 200 })).toEqual([
    expect.stringMatching(/title.*\(--max-metadata-bytes\)$/),
  ]);
  expect(await told({ maxMetadataBytes: 400 })).toEqual([
    expect.stringMatching(/metadata.*\(--max-metadata-bytes\)/),
  ]);
});

import { mkdir, readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { storedPoints } from '../support/stored.ts';

async function benchWith(files: Readonly<Record<string, string>>): Promise<TestBench> {
  const bench = await testBench();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(bench.directory, name, '..'), { recursive: true });
    await writeFile(join(bench.directory, name), content);
  }
  return bench;
}

const ingest = (bench: TestBench, ...args: string[]) =>
  bench.run(['ingest', ...args, '--collection', 'docs', '--workers', '1', '--json']);
const plan = (bench: TestBench, ...args: string[]) =>
  runInProcess(bench, ['plan', ...args, '--collection', 'docs', '--json']);
const summary = (result: { readonly json: readonly Record<string, unknown>[] }) => result.json.at(-1) ?? {};
const documentIds = async (bench: TestBench) =>
  [
    ...new Set(
      [...(await storedPoints(bench.directory, 'docs')).values()].map(({ chunk }) => chunk.documentId),
    ),
  ].sort();

test('13.8, 13.9, 13.17 plan, ingest and verify tell what was found out, left out and not followed; a dangling link blocks no sweep', async () => {
  const bench = await benchWith({
    'in/a.md': 'A text.',
    'in/gone.md': 'Another one.',
    'in/users.csv': 'id;text;year\nu1;A user.;2009\n',
    'in/page.html': '',
    'in/.gitignore': 'x.md',
    'in/x.md': 'Not this one.',
  });
  await symlink('nowhere.md', join(bench.directory, 'in', 'dangling.md'));
  const told = {
    ignored: { files: 1, byEnding: { '.html': 1 } },
    links: { count: 1, sample: [{ path: 'in/dangling.md', why: 'it leads nowhere' }] },
    skipped: { '.gitignore or .embedlineignore': 1 },
    forms: [{ what: expect.stringContaining('";" between columns') as string, files: 1 }],
  };
  expect(summary(await plan(bench, 'in'))).toMatchObject(told);
  const people = await runInProcess(bench, ['plan', 'in', '--collection', 'docs']);
  expect(people.stdout).toMatch(
    /1 file ignored: \.html 1[^]*1 link not followed: in\/dangling\.md: it leads nowhere/,
  );
  const first = await ingest(bench, 'in', '--metadata-fields', 'year:number');
  expect(first).toMatchObject({ code: 0 });
  expect(summary(first)).toMatchObject(told);
  expect(await documentIds(bench)).toEqual(['a.md', 'gone.md', 'u1']);
  await unlink(join(bench.directory, 'in', 'gone.md'));
  const second = await ingest(bench, 'in', '--metadata-fields', 'year:number', '--max-delete', '50%');
  expect(summary(second)).toMatchObject({ documents: { removed: 1 }, chunks: { embedded: 0 } });
  const verified = await runInProcess(bench, [
    'verify',
    'in',
    '--collection',
    'docs',
    '--metadata-fields',
    'year:number',
    '--json',
  ]);
  expect(summary(verified)).toMatchObject({ sound: true, ...told });
  const strict = await plan(bench, 'in', '--strict');
  expect([strict.code, strict.stdout + strict.stderr]).toEqual([
    1,
    expect.stringMatching(/1 file ignored: \.html 1, for example in\/page\.html/),
  ]);
});

test('13.15 LF to CRLF embeds nothing, and moves the offsets', async () => {
  const text = ['# Head', '', 'A paragraph', 'of two lines.', '', 'Another.'].join('\n');
  const files = { 'in/a.md': text, 'in/b.txt': text, 'in/c.csv': `id,text\n1,"${text}"\n` };
  const bench = await benchWith(files);
  expect(await ingest(bench, 'in')).toMatchObject({ code: 0 });
  for (const [name, content] of Object.entries(files))
    await writeFile(join(bench.directory, name), content.replaceAll('\n', '\r\n'));
  expect(summary(await plan(bench, 'in'))).toMatchObject({
    documents: { changed: 3 },
    chunks: { embedded: 0, reused: 0, payloadUpdated: 3 },
  });
  expect(await ingest(bench, 'in')).toMatchObject({ code: 0 });
  expect(summary(await plan(bench, 'in'))).toMatchObject({ documents: { unchanged: 3 } });
});

describe('13.10 --on-duplicate', () => {
  const RECORDS = [
    { id: 'a', text: 'first' },
    { id: 1, text: 'number' },
    { id: 'a', text: 'last' },
    { id: '1', text: 'text' },
  ];
  test.each([
    ['dead-letter', 2, 3],
    ['first', 1, 3],
    ['last', 1, 3],
  ])('%s; 1 and "1" are a dead letter that names both in any case', async (what, letters, code) => {
    const bench = await benchWith({ 'a.jsonl': jsonl(RECORDS) });
    const planned = await plan(bench, 'a.jsonl', '--on-duplicate', what);
    expect(planned.code).toBe(code);
    expect(summary(planned)).toMatchObject({
      deadLetters: letters,
      duplicates: 2 - letters,
      documents: { read: 2 },
    });
  });

  test('fail names both places; last refuses what can be read only once', async () => {
    const bench = await benchWith({ 'a.jsonl': jsonl(RECORDS) });
    const failed = await plan(bench, 'a.jsonl', '--on-duplicate', 'fail');
    expect([failed.code, failed.stdout + failed.stderr]).toEqual([
      1,
      expect.stringMatching(/a\.jsonl:3: the id .*a.* was seen before, at a\.jsonl:1/),
    ]);
    const streamed = await plan(bench, '-', '--on-duplicate', 'last');
    expect([streamed.code, streamed.stdout + streamed.stderr]).toEqual([
      2,
      expect.stringMatching(/reads the corpus twice/),
    ]);
  });
});

describe('13.19 sources', () => {
  test('a source that is added renames nothing: it is refused, with what to do, and both ways work', async () => {
    const bench = await benchWith({ 'd1/README.md': 'One.', 'd1/a.md': 'A.', 'd2/README.md': 'Two.' });
    expect(await ingest(bench, 'd1')).toMatchObject({ code: 0 });
    const refused = await plan(bench, 'd1', 'd2');
    expect([refused.code, refused.stdout + refused.stderr]).toEqual([
      1,
      expect.stringMatching(
        /README\.md.*would become.*d1\/README\.md.*--root d1.*--pipeline NAME.*--root \. --max-delete 100%/,
      ),
    ]);
    expect(await ingest(bench, 'd2', '--pipeline', 'second')).toMatchObject({ code: 0 });
    expect(await documentIds(bench)).toEqual(['README.md', 'a.md']);
    const renamed = await ingest(bench, 'd1', 'd2', '--root', '.', '--max-delete', '100%');
    expect(summary(renamed)).toMatchObject({ chunks: { embedded: 0, reused: 3 } });
    expect(summary(await plan(bench, 'd1', 'd2'))).toMatchObject({
      idsFrom: '.',
      documents: { unchanged: 3 },
    });
    // A third one below the same folder, and one taken away.
    await mkdir(join(bench.directory, 'd3'));
    await writeFile(join(bench.directory, 'd3', 'README.md'), 'Three.');
    expect(summary(await plan(bench, 'd1', 'd2', 'd3'))).toMatchObject({
      documents: { unchanged: 3, new: 1 },
    });
    expect((await plan(bench, 'd1')).code).toBe(1);
  });

  test('one folder with two exports is one pipeline of the configuration file, under the names of the flags', async () => {
    const bench = await benchWith({
      'd/posts.jsonl': jsonl([{ key: 'p', message: { content: 'A post.' }, when: '2024-01-31 10:00' }]),
      'd/users.csv': 'u|A user.\n',
      'embedline.config.json': JSON.stringify({
        pipelines: {
          docs: {
            sources: [
              {
                path: 'd/posts.jsonl',
                idField: 'key',
                textField: ['subject', 'message.content'],
                metadataFields: ['when:date'],
              },
              {
                path: 'd/users.csv',
                header: false,
                delimiter: '|',
                idField: '1',
                textField: '2',
                encoding: 'latin1',
              },
            ],
            strict: true,
            exclude: ['*.bak'],
            workers: 1,
          },
        },
      }),
    });
    expect(await bench.run(['ingest', 'docs'])).toMatchObject({ code: 0 });
    expect(await documentIds(bench)).toEqual(['p', 'u']);
    const help = await runInProcess(bench, ['plan', 'docs', '--json']);
    expect(summary(help)).toMatchObject({ documents: { unchanged: 2 }, deadLetters: 0 });
  });
});

test('every flag of reading has its key in the configuration file', async () => {
  const source = await readFile(
    new URL('../../apps/producer/src/command-line/corpus-options.ts', import.meta.url),
    'utf8',
  );
  const { pipelineSchema } = await import('../../apps/producer/src/pipeline/definition.ts');
  const flags = [...source.matchAll(/'--(?:no-)?([a-z-]+)/g)].map(([, flag = '']) =>
    flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
  );
  expect(flags.length).toBeGreaterThan(15);
  expect(Object.keys(pipelineSchema.shape)).toEqual(expect.arrayContaining(flags));
});

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '@embedline/core';
import { initCommand } from '../../apps/producer/src/commands/init.ts';
import { choosePipelines } from '../../apps/producer/src/pipeline/choose-pipelines.ts';
import { loadConfigFile } from '../../apps/producer/src/pipeline/config-file.ts';
import { styleFor } from '../../apps/producer/src/terminal/style.ts';
import { jsonl, testBench } from '../support/cli.ts';
import { storedPoints } from '../support/stored.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function configured(pipelines: object): Promise<string> {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'embedline.config.json'), JSON.stringify({ pipelines }));
  return directory;
}

async function problemsOf(pipelines: object): Promise<string> {
  const directory = await configured(pipelines);
  return loadConfigFile(directory).then(
    () => 'none',
    (error: Error) => error.message,
  );
}

describe('a configuration file', () => {
  test('names each key that is wrong and what was expected; keys that are not known are refused', async () => {
    const message = await problemsOf({
      docs: { sources: [], chunkToken: 3, overlapTokens: 'ten', format: 'pdf', maxDelete: '120%' },
      more: { sources: ['./a', { command: [] }], schedule: { cron: 3 } },
    });
    expect(message).toMatch(/pipelines\.docs\.sources: expected at least one source/);
    expect(message).toMatch(
      /pipelines\.docs: there is no "chunkToken"; known are sources, collection, root, format, idField/,
    );
    expect(message).toMatch(/pipelines\.docs\.overlapTokens: expected number, received string/);
    expect(message).toMatch(/pipelines\.docs\.format: expected one of "jsonl"\|"csv"\|"text"\|"markdown"/);
    expect(message).toMatch(/pipelines\.docs\.maxDelete: .*expected a percentage from 0% to 100%/);
    expect(message).toMatch(/pipelines\.more\.sources\.1\.command: expected at least a program/);
    expect(message).toMatch(/pipelines\.more\.schedule\.cron: expected string/);
    expect(await problemsOf({ docs: { sources: ['x'], schedule: { cron: '@daily' } } })).toMatch(
      /pipelines\.docs\.schedule: "@daily" is not a cron pattern: expected five fields/,
    );
    expect(await problemsOf({ 'a b': { sources: ['x'] } })).toMatch(
      /pipelines\.a b: expected 1 to 100 letters/,
    );
    expect(await problemsOf({ docs: { sources: [3] } })).toMatch(
      /sources\.0: expected a path, a glob, "-", \{ path: .* \} or \{ command/,
    );
    expect(await problemsOf([])).toMatch(/pipelines: expected \{ NAME/);
  });

  test('is read as TypeScript, with defaults filled in and paths relative to itself', async () => {
    const directory = await temporaryDirectory();
    await writeFile(
      join(directory, 'embedline.config.ts'),
      `type Name = string;\nconst name: Name = 'docs';\nexport default { pipelines: { [name]: { sources: ['./a'], maxDelete: 5 } } };\n`,
    );
    const file = await loadConfigFile(directory);
    expect(file?.pipelines.get('docs')).toMatchObject({
      name: 'docs',
      collection: 'docs',
      directory,
      onDuplicate: 'dead-letter',
      maxDelete: 0.05,
      keepGenerations: 1,
    });
    await expect(loadConfigFile(directory, 'other.json')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/no configuration file .*other\.json.*embedline init/),
    });
  });

  test.each([
    ['export const pipelines = {};', /it has no default export/],
    ["import 'no-such-package';\nexport default {};", /cannot be loaded: .*no-such-package/],
    ['export default { pipelines: ', /cannot be loaded/],
  ])('that cannot be loaded says why: %j', async (text, why) => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'embedline.config.mjs'), text);
    await expect(loadConfigFile(directory)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(why) as string,
    });
  });

  test.each([
    [{ pipeline: 'x' }, /--pipeline goes with --collection/],
    [{ collection: 'x', all: true }, /--all is for pipelines of a configuration file/],
    [{ collection: 'x', config: 'y.json' }, /--config is for pipelines of a configuration file/],
  ] as const)('and flags that would go without effect: %j', async (flags, message) => {
    const directory = await configured({ docs: { sources: ['x'] } });
    await expect(choosePipelines(['docs'], flags, directory)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(message) as string,
    });
  });
});

test('pipelines by name, from anywhere, with the output of a command as a source; flags go before the file', async () => {
  const bench = await testBench();
  const project = join(bench.directory, 'project');
  await mkdir(join(project, 'texts'), { recursive: true });
  await writeFile(join(project, 'texts', 'a.txt'), 'A text in a file.');
  const records = jsonl([{ key: 'r', body: 'A record of a command.' }]);
  const script = `process.stdout.write(${JSON.stringify(records)})`;
  await writeFile(
    join(project, 'embedline.config.json'),
    JSON.stringify({
      pipelines: {
        texts: { sources: ['texts'], workers: 1 },
        records: {
          sources: [{ command: [process.execPath, '-e', script] }],
          collection: 'shared',
          idField: 'key',
          textField: 'body',
          workers: 1,
        },
        broken: { sources: ['nowhere'] },
      },
    }),
  );
  const config = ['--config', 'project/embedline.config.json'];
  const all = await bench.run(['ingest', '--all', ...config, '--json']);
  expect(all.code).toBe(1);
  expect(all.json.filter(({ type }) => type === 'summary')).toMatchObject([
    { state: 'done', pipeline: 'texts', documents: { new: 1 } },
    { state: 'done', pipeline: 'records', documents: { new: 1 } },
  ]);
  expect(all.json.at(-1)).toMatchObject({ type: 'error', pipeline: 'broken', code: 'SOURCE_NOT_FOUND' });
  const shared = [...(await storedPoints(bench.directory, 'shared')).values()];
  expect(shared.map(({ chunk }) => [chunk.pipeline, chunk.documentId])).toEqual([['records', 'r']]);
  const planned = await bench.run(['plan', 'texts', ...config, '--chunk-tokens', '32', '--json']);
  expect(planned.json).toMatchObject([{ pipeline: 'texts', writes: { how: 'build' } }]);
  const unknown = await bench.run(['ingest', 'text', ...config]);
  expect(unknown).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/no pipeline "text"; it has texts, records, broken/),
  });
});

describe('a command as a source', () => {
  const withCommand = async (script: string) => {
    const bench = await testBench();
    const pipeline = { sources: [{ command: [process.execPath, '-e', script] }], workers: 1 };
    await writeFile(
      join(bench.directory, 'embedline.config.json'),
      JSON.stringify({ pipelines: { docs: pipeline } }),
    );
    return bench;
  };
  const print = (records: object[]) => `process.stdout.write(${JSON.stringify(jsonl(records))});`;

  test('that fails is an incomplete reading: what it printed lands, nothing is deleted', async () => {
    const both = print([
      { id: 'a', text: 'One.' },
      { id: 'b', text: 'Two.' },
    ]);
    const bench = await withCommand(both);
    expect(await bench.run(['ingest', 'docs'])).toMatchObject({ code: 0 });
    const failing = `${print([{ id: 'c', text: 'Three.' }])} process.stderr.write('no more'); process.exitCode = 7;`;
    const pipeline = { sources: [{ command: [process.execPath, '-e', failing] }], workers: 1 };
    await writeFile(
      join(bench.directory, 'embedline.config.json'),
      JSON.stringify({ pipelines: { docs: pipeline } }),
    );
    const result = await bench.run(['ingest', 'docs', '--max-delete', '100']);
    expect(result.code).toBe(3);
    expect(result.stderr).toMatch(/Nothing was deleted.*the command ended with code 7: no more/s);
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(3);
  });

  test('sees no shell, and may be missing', async () => {
    const bench = await testBench();
    const pipeline = { sources: [{ command: ['no-such-program-here', '$(touch x)'] }], workers: 1 };
    await writeFile(
      join(bench.directory, 'embedline.config.json'),
      JSON.stringify({ pipelines: { docs: pipeline } }),
    );
    const result = await bench.run(['plan', 'docs', '--json']);
    // As the ingest would end: nothing could be read.
    expect(result.code).toBe(1);
    expect(JSON.stringify(result.json)).toMatch(/cannot be run \(ENOENT\)/);
  });
});

describe('init', () => {
  test('writes a commented file from flags, which plan reads; it replaces nothing unasked', async () => {
    const bench = await testBench();
    await mkdir(join(bench.directory, 'books'));
    await writeFile(join(bench.directory, 'books', 'a.txt'), "It's a book.");
    const args = [
      'init',
      './books',
      '--metadata-fields',
      'year,by=author',
      '--cron',
      '0 3 * * *',
      '--tz',
      'Europe/Zurich',
    ];
    expect(await bench.run(args)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('embedline plan books'),
    });
    const text = await readFile(join(bench.directory, 'embedline.config.ts'), 'utf8');
    expect(text).toMatch(/\/\/ .*command: \['zcat'/);
    expect((await loadConfigFile(bench.directory))?.pipelines.get('books')).toMatchObject({
      sources: ['./books'],
      metadataFields: [
        { name: 'year', from: 'year' },
        { name: 'by', from: 'author' },
      ],
      schedule: { cron: '0 3 * * *', timeZone: 'Europe/Zurich', overlap: 'skip' },
    });
    expect((await bench.run(['plan', 'books', '--json'])).json).toMatchObject([{ documents: { new: 1 } }]);
    const again = await bench.run(args);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('--force') });
    const json = ['--file', 'embedline.config.json', '--json'];
    expect(await bench.run([...args, ...json, '--cron', 'daily'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/Nothing was written: schedule: "daily" is not a cron pattern/),
    });
    expect((await bench.run([...args, ...json])).json).toMatchObject([
      { type: 'written', pipeline: 'books' },
    ]);
  });

  const answered = async (keys: readonly string[]) => {
    const cwd = await temporaryDirectory();
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
    const stdout = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns: 100 });
    const answers = [...keys];
    stdout.on('data', (text: string) => {
      if (text.includes('?') && answers.length > 0) stdin.write(answers.shift());
    });
    const style = styleFor(stdout);
    const code = await initCommand(
      [],
      { file: 'embedline.config.ts' },
      {
        config: loadConfig({}, cwd),
        cwd,
        stdin,
        stdout,
        stderr: new PassThrough(),
        style,
        errorStyle: style,
        signal: new AbortController().signal,
        onSecondSignal: () => undefined,
      },
    );
    return { code, pipelines: (await loadConfigFile(cwd))?.pipelines };
  };

  test('asks on a terminal; Ctrl-C and Ctrl-D write nothing', async () => {
    const { code, pipelines } = await answered(['./books\r', 'shelf\r', 'year\r', '0 3 * * *\r']);
    expect(code).toBe(0);
    expect(pipelines?.get('shelf')).toMatchObject({
      sources: ['./books'],
      metadataFields: [{ name: 'year', from: 'year' }],
      schedule: { cron: '0 3 * * *' },
    });
    expect(await answered(['./books\r', '\u0003'])).toEqual({ code: 130, pipelines: undefined });
    expect(await answered(['./books\r', '\u0004'])).toEqual({ code: 130, pipelines: undefined });
  });
});

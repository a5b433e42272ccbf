import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Schedules } from '@embedline/core';
import { testBench, type TestBench } from '../support/cli.ts';
import { testRedis } from '../support/redis.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { storedPoints } from '../support/stored.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';

async function configured(pipelines: object): Promise<TestBench> {
  const bench = await testBench();
  await writeFile(join(bench.directory, 'a.txt'), 'A text to embed.');
  await writeFile(join(bench.directory, 'embedline.config.json'), JSON.stringify({ pipelines }));
  return bench;
}

const DOCS = { sources: ['a.txt'], workers: 1 };

describe('serve', () => {
  test('does an ingest that was handed over, records how it ended, and stops when told to', async () => {
    const bench = await configured({});
    // A module, which Node loads once for each name.
    const write = (pipelines: object) =>
      writeFile(
        join(bench.directory, 'embedline.config.mjs'),
        `export default ${JSON.stringify({ pipelines })};`,
      );
    await write({});
    const server = bench.start(['serve']);
    await until('it serves', () => server.output().includes('Serving'));
    // A server sees what was edited since it was started.
    await write({ docs: { ...DOCS, schedule: { cron: '0 3 * * *' } } });
    expect((await runInProcess(bench, ['schedule', 'set', 'docs', '--json'])).json).toMatchObject([
      { type: 'scheduled', pipeline: 'docs', cron: '0 3 * * *' },
    ]);
    expect(await runInProcess(bench, ['ingest', 'docs', '--detach', '--rebuild'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('embedline serve'),
    });
    const schedules = new Schedules({ connection: testRedis(), prefix: bench.prefix });
    await until('it was done', async () => (await schedules.list())[0]?.lastResult !== null);
    await schedules.close();
    expect((await runInProcess(bench, ['schedule', 'list', '--json'])).json).toMatchObject([
      { pipeline: 'docs', cron: '0 3 * * *', lastResult: { outcome: 'done', kind: 'detached' } },
    ]);
    const list = async () => (await runInProcess(bench, ['schedule', 'list'])).stdout;
    await until('the server is seen', async () => / 1 /.test(await list()));
    expect(await list()).toMatch(
      /docs +0 3 \* \* \* +UTC +skip +\S+embedline\.config\.mjs +1 .* done \d{4}-/,
    );
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(1);
    server.process.kill('SIGTERM');
    expect((await server.result).code).toBe(0);
  });

  test('what cannot be handed over or scheduled is refused with the remedy', async () => {
    const bench = await configured({ docs: DOCS, piped: { sources: ['-'] } });
    const refused = async (args: string[], message: RegExp) =>
      expect(await runInProcess(bench, args)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(message),
      });
    await refused(['ingest', 'a.txt', '--collection', 'x', '--detach'], /names of configured pipelines/);
    await refused(['ingest', 'docs', '--detach', '--workers', '3'], /cannot carry --workers/);
    await refused(['schedule', 'set', 'docs'], /--cron "0 3 \* \* \*"/);
    await refused(
      ['schedule', 'set', 'other', '--cron', '0 3 * * *'],
      /no pipeline "other"; it has docs, piped/,
    );
    await refused(['schedule', 'set', 'docs', '--cron', '0 3 * *'], /expected five fields/);
    await refused(['schedule', 'set', 'piped', '--cron', '0 3 * * *'], /reads standard input.*command:/);
    await refused(['ingest', 'piped', '--detach'], /reads standard input/);
    await refused(['schedule', 'remove', 'docs'], /no schedule of "docs"/);
  });
});

describe('serve and what it is not to blame for', () => {
  test('waits for a Redis that is not there yet, and ends within 20 seconds of a signal when it is gone again', async () => {
    const redis = await startRedisServer(await temporaryDirectory());
    onTestFinished(() => redis.close());
    await redis.kill();
    const bench = await configured({ docs: { ...DOCS, schedule: { cron: '0 3 * * *' } } });
    const server = bench.start(['serve'], { REDIS_URL: redis.url });
    await until('it says that it waits', () => server.output().includes('Ingests begin when it can be used'));
    await redis.start();
    // Nobody has run schedule set.
    await until('it serves', () => server.output().includes('docs is scheduled at'));
    await redis.kill();
    const toldAtMs = Date.now();
    await until('it has noticed', () => /ECONNREFUSED|closed/.test(server.output()));
    server.process.kill('SIGTERM');
    expect((await server.result).code).toBe(0);
    expect(Date.now() - toldAtMs).toBeLessThan(20_000);
    const lines = (await server.result).stderr.trim().split('\n');
    expect(lines.length).toBeLessThan(20);
  });

  test('ends when it is stopped before Redis was there', async () => {
    const bench = await configured({ docs: DOCS });
    const server = bench.start(['serve'], { REDIS_URL: 'redis://127.0.0.1:1' });
    await until('it waits', () => server.output().includes('Ingests begin when it can be used'));
    server.process.kill('SIGINT');
    expect((await server.result).code).toBe(0);
  });

  test('tells onFailure of an ingest that fails and of one that a guard stops, keeps what they said, and goes on', async () => {
    const bench = await configured({});
    // One for all ingests, so that none has to start its own.
    bench.startWorker();
    const hook = `const input = require('node:fs').readFileSync(0); require('node:fs').appendFileSync('told.jsonl', input)`;
    const onFailure = { command: [process.execPath, '-e', hook] };
    const pipelines = {
      docs: { sources: ['texts'], maxDelete: '0%' },
      lost: { sources: ['no-such-file.txt'] },
      quiet: { sources: ['no-such-file.txt'], schedule: { cron: '0 3 * * *', onFailure: null } },
    };
    await writeFile(join(bench.directory, 'embedline.config.json'), JSON.stringify({ onFailure, pipelines }));
    await mkdir(join(bench.directory, 'texts'));
    for (const name of ['a', 'b'])
      await writeFile(join(bench.directory, 'texts', `${name}.txt`), `Text ${name}.`);
    expect((await runInProcess(bench, ['ingest', 'docs'])).code).toBe(0);
    await rm(join(bench.directory, 'texts', 'b.txt'));
    const server = bench.start(['serve']);
    await runInProcess(bench, ['ingest', 'quiet', 'lost', 'docs', '--detach']);
    const told = async () => {
      const text = await readFile(join(bench.directory, 'told.jsonl'), 'utf8').catch(() => '');
      const lines = text.split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    await until('two failures are told', async () => (await told()).length === 2);
    expect(await told()).toMatchObject([
      { pipeline: 'lost', kind: 'detached', reason: 'failed', code: 'SOURCE_NOT_FOUND', summary: null },
      {
        pipeline: 'docs',
        reason: 'guard',
        code: 'DELETE_GUARD',
        summary: { type: 'summary', pipeline: 'docs' },
      },
    ]);
    expect(server.output()).toMatch(/quiet: error: There is no file or directory no-such-file\.txt/);
    server.process.kill('SIGTERM');
    expect((await server.result).code).toBe(0);
  });
});

describe('doctor', () => {
  test('compares the schedules with the file, and finds the rest in order', async () => {
    const bench = await configured({ docs: { ...DOCS, schedule: { cron: '0 3 * * *' } } });
    const unset = await runInProcess(bench, ['doctor', '--json']);
    expect(unset.code).toBe(1);
    expect(unset.json.filter(({ verdict }) => verdict === 'problem')).toMatchObject([
      { check: 'schedules', remedy: 'embedline schedule set docs' },
    ]);
    await runInProcess(bench, ['schedule', 'set', 'docs']);
    expect(await runInProcess(bench, ['doctor'])).toMatchObject({ code: 0 });
    await runInProcess(bench, ['schedule', 'set', 'docs', '--cron', '0 4 * * *']);
    expect((await runInProcess(bench, ['doctor'])).stdout).toMatch(
      /problem +schedules +docs is scheduled at "0 4 \* \* \*"/,
    );
    await writeFile(join(bench.directory, 'embedline.config.json'), '{"pipelines":{}}');
    expect((await runInProcess(bench, ['doctor'])).stdout).toMatch(/not a pipeline of the file/);
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Schedules } from '@embedline/core';
import { testBench, type TestBench } from '../support/cli.ts';
import { testRedis } from '../support/redis.ts';
import { storedPoints } from '../support/stored.ts';
import { until } from '../support/temporary.ts';

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
    expect((await bench.run(['schedule', 'set', 'docs', '--json'])).json).toMatchObject([
      { type: 'scheduled', pipeline: 'docs', cron: '0 3 * * *' },
    ]);
    expect(await bench.run(['ingest', 'docs', '--detach', '--rebuild'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('embedline serve'),
    });
    const schedules = new Schedules({ connection: testRedis(), prefix: bench.prefix });
    await until('it was done', async () => (await schedules.list())[0]?.lastResult !== null);
    await schedules.close();
    expect((await bench.run(['schedule', 'list', '--json'])).json).toMatchObject([
      { pipeline: 'docs', cron: '0 3 * * *', lastResult: { outcome: 'done', kind: 'detached' } },
    ]);
    expect((await bench.run(['schedule', 'list'])).stdout).toMatch(
      /docs +0 3 \* \* \* +UTC +skip .* done \d{4}-/,
    );
    expect((await storedPoints(bench.directory, 'docs')).size).toBe(1);
    server.process.kill('SIGTERM');
    expect((await server.result).code).toBe(0);
  });

  test('what cannot be handed over or scheduled is refused with the remedy', async () => {
    const bench = await configured({ docs: DOCS, piped: { sources: ['-'] } });
    const refused = async (args: string[], message: RegExp) =>
      expect(await bench.run(args)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
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

describe('doctor', () => {
  test('compares the schedules with the file, and finds the rest in order', async () => {
    const bench = await configured({ docs: { ...DOCS, schedule: { cron: '0 3 * * *' } } });
    const unset = await bench.run(['doctor', '--json']);
    expect(unset.code).toBe(1);
    expect(unset.json.filter(({ verdict }) => verdict === 'problem')).toMatchObject([
      { check: 'schedules', remedy: 'embedline schedule set docs' },
    ]);
    await bench.run(['schedule', 'set', 'docs']);
    expect(await bench.run(['doctor'])).toMatchObject({ code: 0 });
    await bench.run(['schedule', 'set', 'docs', '--cron', '0 4 * * *']);
    expect((await bench.run(['doctor'])).stdout).toMatch(
      /problem +schedules +docs is scheduled at "0 4 \* \* \*"/,
    );
    await writeFile(join(bench.directory, 'embedline.config.json'), '{"pipelines":{}}');
    expect((await bench.run(['doctor'])).stdout).toMatch(/not a pipeline of the file/);
  });
});

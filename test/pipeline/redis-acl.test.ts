import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectRedis, Schedules, type RedisConnection } from '@embedline/core';
import { jsonl, testBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { privateRedis } from '../support/private-redis.ts';
import { aclRules } from '../support/redis-acl.ts';
import { until } from '../support/temporary.ts';

const PASSWORD = 'only-for-embedline';

function as(url: string, user: string): RedisConnection {
  const redis = connectRedis({ url: url.replace(/:\/\/.*@/, `://${user}@`), role: 'producer' });
  onTestFinished(() => redis.disconnect());
  return redis;
}

test(
  'the Redis user of SECURITY.md is enough for every command, and for nothing else',
  { timeout: 300_000 },
  async () => {
    const server = await privateRedis();
    const admin = server.connect();
    const bench = await testBench();
    await admin.call('ACL', 'SETUSER', ...(await aclRules(bench.prefix, PASSWORD)));
    const env = { REDIS_URL: `redis://embedline:${PASSWORD}@127.0.0.1:${server.port}` };
    const run = async (args: string[], code = 0) => {
      const result = await runInProcess(bench, args, env);
      expect(result.code, `${args.join(' ')}\n${result.stdout}${result.stderr}`).toBe(code);
      return result;
    };
    await writeFile(
      join(bench.directory, 'a.jsonl'),
      `${jsonl([{ id: 'a', text: 'A text.' }])}{"no":"id"}\n`,
    );
    await writeFile(join(bench.directory, 'b.txt'), 'Another text.');
    const pipelines = { docs: { sources: ['b.txt'], schedule: { cron: '0 3 * * *' } } };
    await writeFile(join(bench.directory, 'embedline.config.json'), JSON.stringify({ pipelines }));

    const worker = bench.startWorker(['--concurrency', '1'], env);
    await run(['ingest', 'a.jsonl', '--collection', 'a'], 3);
    const reading = [['status'], ['status', '--watch', '--json'], ['failed', 'list']];
    await Promise.all(reading.map((args) => run(args)));
    await run(['failed', 'retry'], 3);
    await run(['failed', 'drop']);
    await run(['delete', '--collection', 'a', '--id', 'a']);
    await run(['schedule', 'set', 'docs']);
    const serve = bench.start(['serve'], env);
    await run(['ingest', 'docs', '--detach']);
    const schedules = new Schedules({ connection: server.connect(), prefix: bench.prefix });
    await until('it was ingested', async () => (await schedules.list())[0]?.lastResult?.outcome === 'done');
    await schedules.close();
    await run(['schedule', 'list']);
    await run(['doctor']);
    await run(['schedule', 'remove', 'docs']);
    for (const running of [serve, worker]) {
      running.process.kill('SIGTERM');
      expect(await running.result, running.output()).toMatchObject({ code: 0 });
    }
    // Redis notes every refusal, also of what a script or a library tried and nobody reported.
    expect(await admin.call('ACL', 'LOG')).toEqual([]);

    const redis = as(server.url, `embedline:${PASSWORD}`);
    for (const command of [
      ['FLUSHALL'],
      ['FLUSHDB'],
      ['CONFIG', 'GET', '*'],
      ['CONFIG', 'SET', 'dir', '/tmp'],
      ['KEYS', '*'],
      ['SHUTDOWN'],
      ['MODULE', 'LIST'],
      ['CLIENT', 'LIST'],
      ['ACL', 'LIST'],
      ['FUNCTION', 'LIST'],
      ['SCRIPT', 'FLUSH'],
      ['SUBSCRIBE', 'x'],
      ['GET', 'another-key'],
      ['SET', '{other}:key', '1'],
      ['EVAL', "return redis.call('GET', 'another-key')", '0'],
    ]) {
      const [name = '', ...args] = command;
      await expect(redis.call(name, ...args), command.join(' ')).rejects.toThrow(
        /NOPERM|No permission|can't (run|access)/,
      );
    }
  },
);

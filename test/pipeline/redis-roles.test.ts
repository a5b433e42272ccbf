import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { jsonl, testBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { privateRedis } from '../support/private-redis.ts';
import { roleRules, type Role } from '../support/redis-acl.ts';

test(
  '14.15: a producer, a worker and a viewer can each do their part, and no more',
  { timeout: 120_000 },
  async () => {
    const server = await privateRedis();
    const admin = server.connect();
    const bench = await testBench();
    for (const rules of await roleRules(bench.prefix)) await admin.call('ACL', 'SETUSER', ...rules);
    const envOf = (role: Role) => ({
      REDIS_URL: `redis://embedline-${role}:${role}-password@127.0.0.1:${server.port}`,
    });
    const run = async (role: Role, args: string[], code = 0) => {
      const result = await runInProcess(bench, args, envOf(role));
      expect(result.code, `${role}: ${args.join(' ')}\n${result.stdout}${result.stderr}`).toBe(code);
      return result;
    };
    await writeFile(
      join(bench.directory, 'a.jsonl'),
      `${jsonl([{ id: 'a', text: 'A text.' }])}{"no":"id"}\n`,
    );
    const pipelines = { docs: { sources: ['a.jsonl'], schedule: { cron: '0 3 * * *' } } };
    await writeFile(join(bench.directory, 'embedline.config.json'), JSON.stringify({ pipelines }));

    const worker = bench.startWorker(['--concurrency', '1'], envOf('worker'));
    await run('producer', ['ingest', 'a.jsonl', '--collection', 'a'], 3);
    await run('producer', ['schedule', 'set', 'docs']);
    // Redis notes every refusal, also of what a library tried and nobody reported.
    expect(await admin.call('ACL', 'LOG')).toEqual([]);

    const before = await admin.call('DBSIZE');
    expect((await run('viewer', ['status', '--json'])).stdout).toContain('"state":"done"');
    expect((await run('viewer', ['runs', 'list'])).stdout).toContain('done');
    expect((await run('viewer', ['failed', 'list'])).stdout).toContain('no id');
    expect((await run('viewer', ['schedule', 'list'])).stdout).toContain('docs');
    await run('viewer', ['runs', 'prune', '--dry-run']);
    await run('viewer', ['doctor']);
    for (const args of [
      ['ingest', 'a.jsonl', '--collection', 'a'],
      ['ingest', 'docs', '--detach'],
      ['schedule', 'set', 'docs'],
      ['schedule', 'remove', 'docs'],
      ['failed', 'drop'],
      ['delete', '--collection', 'a', '--id', 'a'],
      ['runs', 'prune', '--keep', '0', '--older-than', '0d'],
    ])
      expect((await run('viewer', args, 1)).stderr).toMatch(/this user of Redis may not do that/);
    expect(await admin.call('DBSIZE')).toBe(before);

    for (const args of [
      ['ingest', 'docs', '--detach'],
      ['ingest', 'a.jsonl', '--collection', 'a', '--rebuild'],
      ['schedule', 'set', 'docs', '--cron', '* * * * *'],
      ['schedule', 'remove', 'docs'],
      ['delete', '--collection', 'a', '--id', 'a'],
    ])
      expect((await run('worker', args, 1)).stderr).toMatch(/this user of Redis may not do that/);
    worker.process.kill('SIGTERM');
    expect(await worker.result, worker.output()).toMatchObject({ code: 0 });
  },
);

test('14.15: keys that only a server and a producer may write are not a worker’s', async () => {
  const server = await privateRedis();
  const admin = server.connect();
  const prefix = '{embedline}';
  for (const rules of await roleRules(prefix)) await admin.call('ACL', 'SETUSER', ...rules);
  const may = async (role: Role, ...command: string[]) =>
    String(await admin.call('ACL', 'DRYRUN', `embedline-${role}`, ...command)) === 'OK';
  const owned = [
    'ingest:wait',
    'schedules',
    'servers',
    'served-ticks',
    'ingest-results',
    'sequence',
    'lock:pipeline:a',
  ];
  for (const key of owned) {
    expect(await may('producer', 'SET', `${prefix}:${key}`, '1'), key).toBe(true);
    expect(await may('worker', 'SET', `${prefix}:${key}`, '1'), key).toBe(false);
    expect(await may('viewer', 'SET', `${prefix}:${key}`, '1'), key).toBe(false);
    expect(await may('viewer', 'TYPE', `${prefix}:${key}`), key).toBe(true);
  }
  const source = "return redis.call('SET', KEYS[1], '1')";
  for (const role of ['worker', 'viewer'] as const) {
    expect(await may(role, 'EVAL', source, '1', `${prefix}:schedules`)).toBe(false);
    for (const command of [
      ['FLUSHALL'],
      ['CONFIG', 'GET', '*'],
      ['KEYS', '*'],
      ['GET', 'another'],
      ['ACL', 'LIST'],
    ])
      expect(await may(role, ...command), command.join(' ')).toBe(false);
  }
  expect(await may('worker', 'SET', `${prefix}:run:x`, '1')).toBe(true);
  expect(await may('viewer', 'DEL', `${prefix}:run:x`)).toBe(false);
});

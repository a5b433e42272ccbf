import { Redis } from 'ioredis';
import { execFile } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkRedis, connectRedis, probeRedis, type RedisConnection } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { refusalReason } from '../../packages/core/src/run/redis-failure.ts';
import { testBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { startFakeServer, startRedisProcess } from '../support/redis-process.ts';
import { refusal } from '../support/redis-refusal.ts';
import { temporaryDirectory, until } from '../support/temporary.ts';

const run = promisify(execFile);

function connect(url: string): RedisConnection {
  const redis = connectRedis({ url, role: 'producer' });
  onTestFinished(() => redis.disconnect());
  return redis;
}

describe('a database that the server does not have', () => {
  test('is an error at start that names it and the remedy, in every program', async () => {
    const { port } = await startRedisProcess(['--databases', '4']);
    const url = `redis://127.0.0.1:${port}/7`;
    const error = await refusal(url);
    expect(error).toMatchObject({ code: 'REDIS_UNSUITABLE', retryable: false });
    expect(error.message).toMatch(/has no database 7\..*number of one that is there.*`databases`/);
    await probeRedis(`redis://127.0.0.1:${port}/3`);
    const bench = await testBench({ REDIS_URL: url });
    const status = await runInProcess(bench, ['status']);
    expect(status).toMatchObject({ code: 1, stderr: expect.stringContaining('no database 7') as string });
    const worker = await bench.startWorker().result;
    expect(worker).toMatchObject({ code: 1, stderr: expect.stringContaining('no database 7') as string });
    expect(await connect(`redis://127.0.0.1:${port}`).dbsize()).toBe(0);
  });

  test('is never replaced by database 0, not even after a restart with fewer of them', async () => {
    const server = await startRedisProcess(['--databases', '8']);
    const redis = connect(`redis://127.0.0.1:${server.port}/7`);
    // As BullMQ makes its blocking connection.
    const blocking = (redis as Redis).duplicate();
    onTestFinished(() => blocking.disconnect());
    await Promise.all([redis.ping(), blocking.ping()]);
    await server.kill();
    await server.restart(['--databases', '2']);
    const admin = connect(`redis://127.0.0.1:${server.port}`);
    const refused = async () =>
      Number(/errorstat_ERR:count=(\d+)/.exec(await admin.info('errorstats'))?.[1] ?? 0);
    const written = Promise.all([redis.set('a', '1'), blocking.set('b', '1')]);
    await until('both were refused', async () => (await refused()) >= 4);
    expect(await admin.dbsize()).toBe(0);
    await server.kill();
    await server.restart(['--databases', '8']);
    await written;
    expect(await redis.dbsize()).toBe(2);
    expect(await admin.dbsize()).toBe(0);
  });

  test('by its socket, too', async () => {
    const path = join(await temporaryDirectory(), 'redis.sock');
    await startRedisProcess(['--unixsocket', path, '--databases', '4', '--requirepass', 'of the socket']);
    await probeRedis(`unix://:of%20the%20socket@${path}?db=3`);
    expect((await refusal(`unix://:of%20the%20socket@${path}?db=4`)).message).toMatch(/no database 4\./);
    expect((await refusal(`unix://${path}`)).message).toMatch(/NOAUTH/);
    expect((await refusal(`unix://${path}-not`)).message).toMatch(/ENOENT.*no such socket/);
  });
});

describe('the login', () => {
  test('is refused by what is wrong with it', async () => {
    const { port } = await startRedisProcess(['--requirepass', 'p@ss/w%rd']);
    const at = (login: string) => `redis://${login}127.0.0.1:${port}`;
    await probeRedis(at(':p%40ss%2Fw%25rd@'));
    expect((await refusal(at(''))).message).toMatch(/NOAUTH.*asks for a password.*REDIS_PASSWORD_FILE/);
    const wrong = await refusal(at('nobody:hunter2-hunter2@'));
    expect(wrong.message).toMatch(/refused the login \(WRONGPASS\).*REDIS_URL/);
    expect(wrong.message).not.toContain('hunter2');
    // No remedy falls victim to the removal of secrets.
    for (const { message } of [wrong, await refusal(at(''))]) expect(message).not.toContain('[redacted]');
    const admin = connect(at(':p%40ss%2Fw%25rd@'));
    await admin.call(
      'ACL',
      'SETUSER',
      'few',
      'on',
      '>of-the-few',
      'resetkeys',
      '~other:*',
      '+ping',
      '+info',
      '+eval',
      '+hello',
    );
    const few = connect(at('few:of-the-few@'));
    await expect(checkRedis(few)).rejects.toThrow(
      /may not run scripts on the keys \{embedline\}:\*.*SECURITY\.md/,
    );
    await admin.call('ACL', 'SETUSER', 'few', '-ping');
    expect((await refusal(at('few:of-the-few@'))).message).toMatch(/NOPERM.*SECURITY\.md/);
  });

  test('may come from a file', async () => {
    const { port } = await startRedisProcess(['--requirepass', 'from-a-file']);
    const path = join(await temporaryDirectory(), 'password');
    await run('sh', ['-c', `echo from-a-file > ${path}`]);
    const bench = await testBench({ REDIS_URL: `redis://127.0.0.1:${port}`, REDIS_PASSWORD_FILE: path });
    const ingest = ['ingest', '-', '--collection', 'docs', '--workers', '1', '--json'];
    const ingested = await bench.run(ingest, '{"id":"a","text":"hello"}\n');
    expect(ingested, ingested.stderr).toMatchObject({ code: 0 });
    expect(ingested.stdout + ingested.stderr).not.toContain('from-a-file');
  });

  test('a server in protected mode says so', async () => {
    const external = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
    const denied = '-DENIED Redis is running in protected mode because protected mode is enabled\r\n';
    const { port } =
      external === undefined
        ? await startFakeServer((socket) => void socket.end(denied))
        : await startRedisProcess(['--bind', '0.0.0.0', '--protected-mode', 'yes']);
    const { message } = await refusal(`redis://${external ?? '127.0.0.1'}:${port}`);
    expect(message).toMatch(/protected mode.*requirepass/);
  });
});

test('a command that was renamed is named', async () => {
  const renamed = async (command: string) => {
    const { port } = await startRedisProcess(['--rename-command', command, 'secret-name']);
    return `redis://127.0.0.1:${port}`;
  };
  const info = await refusal(await renamed('INFO'));
  expect(info).toMatchObject({ code: 'REDIS_UNSUITABLE', retryable: false });
  expect(info.message).toMatch(/does not know the command INFO.*rename-command/);
  expect((await refusal(`${await renamed('SELECT')}/2`)).message).toMatch(/SELECT.*database 2/);
  const evaluate = connect(await renamed('EVAL'));
  await expect(checkRedis(evaluate)).rejects.toThrow(/does not know EVAL.*rename-command/);
  // These are not needed.
  for (const command of ['CONFIG', 'CLIENT', 'KEYS', 'FLUSHALL', 'SHUTDOWN']) {
    const url = await renamed(command);
    await probeRedis(url);
    expect(await connect(url).ping()).toBe('PONG');
  }
});

test('a replica, a Sentinel or a node of a cluster is not used as a server', async () => {
  const primary = await startRedisProcess();
  const replica = await startRedisProcess(['--replicaof', '127.0.0.1', String(primary.port)]);
  const error = await refusal(`redis://127.0.0.1:${replica.port}`);
  expect(error).toMatchObject({ code: 'REDIS_UNSUITABLE', retryable: true });
  expect(error.message).toMatch(/is a replica of 127\.0\.0\.1.*READONLY.*primary/);
  const node = await startRedisProcess(['--cluster-enabled', 'yes']);
  const of = (scheme: string, port: number) => refusal(`${scheme}://127.0.0.1:${port}`);
  expect((await of('redis', node.port)).message).toMatch(/node of a Redis Cluster.*redis\+cluster:\/\//);
  expect((await of('redis+cluster', primary.port)).message).toMatch(
    /not a node of a Redis Cluster.*Write redis:/,
  );
  const down = await of('redis+cluster', node.port);
  expect(down).toMatchObject({ retryable: true, message: expect.stringMatching(/Redis Cluster .* is down/) });
  const asSentinel = await refusal(`redis+sentinel://127.0.0.1:${primary.port}/mymaster`);
  expect(asSentinel.message).toMatch(/is a Redis, not a Sentinel.*26379/);
});

test('a Redis that takes no writes for now says why', async () => {
  const server = await startRedisProcess(['--enable-protected-configs', 'yes']);
  const gone = await temporaryDirectory();
  // Ours would connect again, and hide what a replica answers.
  const redis = new Redis({ port: server.port });
  onTestFinished(() => redis.disconnect());
  const reason = async () => refusalReason(await redis.set('a', '1').catch((error: unknown) => error));
  expect(await reason()).toBeNull();
  await redis.config('SET', 'min-replicas-to-write', '1');
  expect(await reason()).toMatch(/fewer replicas follow.*\(NOREPLICAS\)/);
  await redis.config('SET', 'min-replicas-to-write', '0', 'maxmemory', '1');
  expect(await reason()).toMatch(/at its maxmemory/);
  await redis.config('SET', 'maxmemory', '0', 'dir', gone, 'save', '3600 1');
  await rm(gone, { recursive: true });
  await redis.bgsave();
  await until('it could not save', async () =>
    /last_bgsave_status:err/.test(await redis.info('persistence')),
  );
  expect(await reason()).toMatch(/cannot save its data to disk.*\(MISCONF\)/);
  const primary = await startRedisProcess();
  await redis.config('SET', 'save', '');
  await redis.replicaof('127.0.0.1', primary.port);
  const replica = (await redis.set('a', '1').catch((error: unknown) => error)) as Error;
  expect(refusalReason(replica)).toMatch(/it is a replica.*\(READONLY\)/);
  for (const word of ['LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'TRYAGAIN'])
    expect(refusalReason(new Error(`${word} for a while`))).toContain(`(${word})`);
  expect(refusalReason(new Error('constructor of nothing'))).toBeNull();
});

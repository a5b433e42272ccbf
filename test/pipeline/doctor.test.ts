import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  announceWorker,
  assertFreeDisk,
  checkRedis,
  examineDisk,
  examineRedis,
  runKeys,
  VERSION,
} from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { examineRuntime } from '../../apps/producer/src/doctor/runtime.ts';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { testBench } from '../support/cli.ts';
import { finding } from '../support/doctor.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { MANIFEST, pointOf } from '../support/points.ts';
import { privateRedis } from '../support/private-redis.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { testRedis } from '../support/redis.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function double(version?: string) {
  const qdrant = await startQdrantDouble(version === undefined ? {} : { version });
  onTestFinished(() => qdrant.close());
  return qdrant;
}

describe('doctor', () => {
  test('says of everything what it found, and that all is in order', async () => {
    const bench = await testBench();
    const presence = await announceWorker({
      redis: testRedis(),
      prefix: bench.prefix,
      workerId: 'w',
      concurrency: 2,
    });
    const { code, json } = await runInProcess(bench, ['doctor', '--json']);
    await presence.close();
    expect(json.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
    expect(code).toBe(0);
    expect(json.map(({ check }) => check)).toEqual([
      'embedline',
      'Node',
      'SQLite',
      'configuration',
      'state folder',
      'free disk',
      'Redis version',
      'Redis eviction policy',
      'Redis persistence',
      'Redis memory',
      'Redis role',
      'clock',
      'workers',
      'version of workers',
      'vector store',
      'model',
      'engine',
      'canary vectors',
      'inference',
    ]);
    for (const finding of json) expect(Object.keys(finding)).toEqual(['check', 'verdict', 'found', 'remedy']);
    const { stdout } = await runInProcess(bench, ['doctor']);
    expect(stdout).toMatch(/^ok +Node +24\./m);
    expect(stdout).toMatch(/^warning +workers +No worker.*\n +Start some with: npx embedline-worker$/m);
    expect(stdout).toMatch(/0 problems, 1 warnings, \d+ in order/);
  });

  test('goes on with the rest when Redis, store and file are no use', async () => {
    const bench = await testBench({ REDIS_URL: 'redis://127.0.0.1:1', QDRANT_URL: 'http://127.0.0.1:1' });
    await writeFile(join(bench.directory, 'embedline.config.json'), '{"pipelines":{"docs":{"source":[]}}}');
    const { code, json } = await runInProcess(bench, ['doctor', '--json']);
    expect(code).toBe(1);
    const problems = json.filter(({ verdict }) => verdict === 'problem');
    expect(problems).toMatchObject([
      { check: 'configuration', found: expect.stringContaining('source') },
      { check: 'Redis', found: expect.stringMatching(/ECONNREFUSED.*REDIS_URL/) },
      { check: 'vector store', found: expect.stringMatching(/cannot be reached.*QDRANT_URL/) },
    ]);
    expect(json.map(({ check }) => check)).toContain('canary vectors');
  });

  test('names workers of another version, and what a worker waits for', async () => {
    const bench = await testBench();
    const redis = testRedis();
    const { prefix } = bench;
    const presence = await announceWorker({ redis, prefix, workerId: 'old', concurrency: 1 });
    onTestFinished(() => presence.close());
    presence.setWaiting('Qdrant is away');
    const key = runKeys(prefix).worker('old');
    const own = JSON.parse((await redis.get(key)) ?? '') as object;
    await redis.set(key, JSON.stringify({ ...own, version: '0.0.1' }));
    const { json } = await runInProcess(bench, ['doctor', '--json']);
    expect(json.filter(({ verdict }) => verdict === 'warning')).toMatchObject([
      {
        check: 'version of workers',
        found: expect.stringMatching(`not of version ${VERSION}: old is 0.0.1`),
      },
      { check: 'waiting workers', found: expect.stringContaining('Qdrant is away') },
    ]);
  });

  test('warns of what travels unprotected to other machines', async () => {
    const bench = await testBench({ REDIS_URL: 'redis://192.0.2.1:1', QDRANT_URL: 'http://192.0.2.1:1' });
    // Nothing answers there, and nothing is asked there: what is looked at are the URLs.
    const { transport } = await import('../../apps/producer/src/doctor/transport.ts');
    const { loadConfig } = await import('@embedline/core');
    const look = async (env: Record<string, string>) => {
      const context = { config: loadConfig({ ...bench.env, ...env }) };
      const findings = await transport.examine({ context } as never);
      return findings.map(({ check }) => check);
    };
    expect(await look({})).toEqual(['Redis transport', 'Redis access', 'Qdrant access']);
    const [REDIS_URL, QDRANT_API_KEY] = ['redis://u:password@192.0.2.1', 'a-key-of-qdrant'];
    expect(await look({ REDIS_URL, QDRANT_API_KEY })).toEqual(['Redis transport', 'Qdrant transport']);
    expect(
      await look({
        REDIS_URL: 'rediss://u:password@192.0.2.1',
        QDRANT_URL: 'https://192.0.2.1',
        QDRANT_API_KEY,
      }),
    ).toEqual([]);
    expect(await look({ REDIS_URL: 'redis://localhost', QDRANT_URL: 'http://[::1]:6333' })).toEqual([]);
    expect(
      await look({ REDIS_URL: 'redis://localhost.example', QDRANT_URL: 'http://127.0.0.1' }),
    ).toHaveLength(2);
  });
});

describe('Redis', () => {
  test('that evicts keys, keeps nothing, or is nearly full', async () => {
    const server = await privateRedis();
    const redis = server.connect();
    const bench = await testBench({ REDIS_URL: server.url });
    await redis.config('SET', 'appendonly', 'no');
    expect(await finding(bench, 'Redis persistence')).toMatchObject({
      code: 0,
      verdict: 'warning',
      remedy: expect.stringContaining('appendonly yes'),
    });
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await finding(bench, 'Redis eviction policy')).toMatchObject({
      code: 1,
      verdict: 'problem',
      remedy: expect.stringContaining('maxmemory-policy noeviction'),
    });
    await expect(checkRedis(redis)).rejects.toMatchObject({ code: 'REDIS_UNSUITABLE' });
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.config('SET', 'maxmemory', String(1024 * 1024));
    expect(await examineRedis(redis)).toContainEqual(
      expect.objectContaining({ check: 'Redis memory', verdict: 'warning' }),
    );
    await redis.config('SET', 'maxmemory', '0');
    await redis.call('REPLICAOF', '127.0.0.1', '1');
    expect(await examineRedis(redis)).toContainEqual(
      expect.objectContaining({ check: 'Redis role', verdict: 'warning' }),
    );
  });

  test('whose clock is not that of this machine', async () => {
    const redis = testRedis();
    const skewed = async (skewMs: number) => {
      const findings = await examineRedis(redis, { now: () => Date.now() + skewMs });
      return findings.find(({ check }) => check === 'clock')?.verdict;
    };
    expect(await skewed(0)).toBe('ok');
    expect(await skewed(-3_000)).toBe('warning');
    expect(await skewed(26 * 3600 * 1000)).toBe('problem');
    await expect(checkRedis(redis, { now: () => Date.now() - 3600 * 1000 })).rejects.toThrow(/3600.*NTP/);
  });

  test('that tells its user nothing about itself is used, with a warning', async () => {
    const server = await privateRedis();
    await server.connect().call('ACL', 'SETUSER', 'quiet', 'on', '>password', '~*', '+@all', '-info');
    const url = `redis://quiet:password@127.0.0.1:${server.port}`;
    const bench = await testBench({ REDIS_URL: url });
    expect(await finding(bench, 'Redis settings')).toMatchObject({
      code: 0,
      verdict: 'warning',
      remedy: expect.stringContaining('+info'),
    });
    expect(await runInProcess(bench, ['status'])).toMatchObject({ code: 0 });
  });
});

describe('the store', () => {
  test('that is too old, wants another key, or is not Qdrant', async () => {
    const bench = await testBench();
    const old = await double('1.15.4');
    const seen = (url: string, more = {}) => finding(bench, 'vector store', { QDRANT_URL: url, ...more });
    expect(await seen(old.url)).toMatchObject({ code: 1, found: expect.stringContaining('1.15.4') });
    const locked = await startQdrantDouble({ apiKey: 'the-right-key' });
    onTestFinished(() => locked.close());
    expect(await seen(locked.url, { QDRANT_API_KEY: 'another-key' })).toMatchObject({
      code: 1,
      found: expect.stringContaining('QDRANT_API_KEY'),
    });
    const right = await seen((await double('1.18.3')).url);
    expect(right).toMatchObject({
      code: 0,
      verdict: 'ok',
      found: expect.stringContaining('qdrant 1.18.3 at'),
    });
  });

  test('with a collection of other dimensions or another distance than its metadata says', async () => {
    const bench = await testBench();
    const qdrant = await double();
    const env = { QDRANT_URL: qdrant.url };
    const store = await openQdrantStore({ url: qdrant.url });
    onTestFinished(() => store.close());
    for (const [collection, vectors] of [
      ['good', { size: 16, distance: 'Cosine' }],
      ['wide', { size: 32, distance: 'Cosine' }],
      ['far', { size: 16, distance: 'Euclid' }],
    ] as const) {
      const generation = await store.createGeneration(collection, MANIFEST);
      await (await store.open(generation)).upsert([pointOf('a', 'A text.')], { runSequence: 1 });
      await store.publish(generation);
      if (collection === 'good')
        expect(await finding(bench, 'collections', env)).toMatchObject({ verdict: 'ok' });
      Object.assign(qdrant.state.collections.get(generation.name)?.vectors['dense'] ?? {}, vectors);
    }
    expect(await finding(bench, 'collection wide', env)).toMatchObject({
      code: 1,
      verdict: 'problem',
      found: expect.stringContaining('32 dimensions'),
      remedy: expect.stringContaining('--rebuild'),
    });
    expect(await finding(bench, 'collection far', env)).toMatchObject({
      found: expect.stringContaining('Euclid'),
    });
  });

  test('on a disk without room', async () => {
    const free = (bytes: number) => examineDisk('/data', () => Promise.resolve(bytes));
    expect(await free(2 ** 40)).toMatchObject({ verdict: 'ok', remedy: null });
    expect(await free(2 ** 29)).toMatchObject({ verdict: 'warning', found: '0.50 GiB free for /data.' });
    expect(await free(2 ** 20)).toMatchObject({
      verdict: 'problem',
      remedy: expect.stringContaining('EMBEDLINE_HOME'),
    });
    const full = assertFreeDisk('/data', () => Promise.resolve(0));
    await expect(full).rejects.toMatchObject({ code: 'STORE_FULL' });
    await assertFreeDisk(join(await temporaryDirectory(), 'not', 'there', 'yet'));
  });
});

test('a Node or SQLite that is too old is a problem', () => {
  const verdicts = (node: string, sqlite: string) =>
    examineRuntime({ node, sqlite }).map(({ verdict }) => verdict);
  expect(verdicts('24.15.0', '3.51.3')).toEqual(['ok', 'ok', 'ok']);
  expect(verdicts('24.14.9', '3.51.2')).toEqual(['ok', 'problem', 'problem']);
  expect(verdicts('25.0.0', '4.0.0')).toEqual(['ok', 'ok', 'ok']);
});

describe('14.3 signed schedules', () => {
  test('are compared with the file by those with the key, and called refused by others', async () => {
    const bench = await testBench({ EMBEDLINE_SIGNING_KEY: 'ab'.repeat(32) });
    await writeFile(
      join(bench.directory, 'embedline.config.json'),
      JSON.stringify({
        pipelines: { docs: { sources: ['x'], schedule: { cron: '0 3 * * *', timeZone: 'UTC' } } },
      }),
    );
    expect(await runInProcess(bench, ['schedule', 'set', 'docs'])).toMatchObject({ code: 0 });
    const own = await finding(bench, 'schedules');
    expect(own).toMatchObject({ found: expect.stringContaining('no server that has it runs') as string });
    const other = await finding(bench, 'schedules', { EMBEDLINE_SIGNING_KEY: 'cd'.repeat(32) });
    expect(other).toMatchObject({
      verdict: 'problem',
      found: '"docs" was not set by embedline, or with another signing key: it is never run.',
    });
  });
});

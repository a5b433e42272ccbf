import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { RedisConnection } from '@embedline/core';
import { jsonl, testBench, type RunningCli, type TestBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { privateRedis } from '../support/private-redis.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { aclRules } from '../support/redis-acl.ts';
import { until } from '../support/temporary.ts';

/** Each stands in one place only; every one of them holds this word, so that one search finds any of them. */
const MARK = 'PLANTED';
const REDIS_PASSWORD = `${MARK}-redis-4f9c@:/%`;
const QDRANT_KEY = `${MARK}-qdrant-77ab`;
const HF_TOKEN = `hf_${MARK}aJ3k`;
const SOURCE_PASSWORD = `${MARK}-source-0d1e`;

/** What a program prints, what other users of the machine see of its processes, and what it leaves in Redis and files. */
async function secretive() {
  const server = await privateRedis();
  const admin = server.connect();
  const double = await startQdrantDouble({ apiKey: QDRANT_KEY });
  onTestFinished(() => double.close());
  const bench = await testBench({
    REDIS_URL: `redis://embedline:${encodeURIComponent(REDIS_PASSWORD)}@127.0.0.1:${server.port}`,
    QDRANT_URL: double.url,
    QDRANT_API_KEY: QDRANT_KEY,
    HF_TOKEN,
    EMBEDLINE_LOG_LEVEL: 'trace',
  });
  await admin.call('ACL', 'SETUSER', ...(await aclRules(bench.prefix, REDIS_PASSWORD)));
  const watch = watchArguments();
  const run = async (args: string[], env: Record<string, string> = {}) => {
    const result = await runInProcess(bench, args, env);
    const printed = `${result.stdout}\n${result.stderr}`;
    expect(printed, args.join(' ')).not.toContain(MARK);
    return result;
  };
  return { bench, admin, server, run, watch };
}

/** Looks at the arguments of every process, as any user of the machine may, until it is asked what it has seen. */
function watchArguments(): () => Promise<string[]> {
  const stop = new AbortController();
  const seen = new Set<string>();
  const watching = (async () => {
    while (!stop.signal.aborted) {
      for (const pid of await readdir('/proc')) {
        if (!/^\d+$/.test(pid)) continue;
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        seen.add(line.replaceAll('\0', ' '));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  onTestFinished(() => stop.abort());
  return async () => {
    stop.abort();
    await watching;
    return [...seen];
  };
}

async function everythingIn(redis: RedisConnection): Promise<string> {
  const keys = await redis.keys('*');
  const values = await Promise.all(
    keys.map(async (key) => {
      switch (await redis.type(key)) {
        case 'string':
          return redis.get(key);
        case 'hash':
          return redis.hgetall(key);
        case 'list':
          return redis.lrange(key, 0, -1);
        case 'stream':
          return redis.xrange(key, '-', '+');
        default:
          return redis.zrange(key, '0', '-1');
      }
    }),
  );
  return JSON.stringify([keys, values]);
}

async function configure({ directory }: TestBench): Promise<void> {
  const text = jsonl([{ id: 'a', text: 'A text.' }]);
  await writeFile(join(directory, 'a.jsonl'), `${text}{"no":"id"}\n`);
  const fails = `console.error('cannot log in to postgres://reader:${SOURCE_PASSWORD}@db/x'); process.exit(1)`;
  await writeFile(join(directory, 'fails.mjs'), fails);
  const failing = { command: [process.execPath, 'fails.mjs', '--password', SOURCE_PASSWORD] };
  const pipelines = {
    good: { sources: ['a.jsonl'], schedule: { cron: '0 3 * * *' } },
    bad: { sources: [failing], idField: 'id' },
    hub: { sources: ['a.jsonl'], model: 'nobody/nothing', modelRevision: 'f'.repeat(40) },
  };
  await writeFile(join(directory, 'embedline.config.json'), JSON.stringify({ pipelines }));
}

const SUCCEED: [code: number, ...args: string[]][] = [
  [3, 'ingest', 'good', '--json'],
  [1, 'ingest', 'bad'],
  [0, 'status'],
  [0, 'status', '--json'],
  [0, 'search', 'text', '--collection', 'good'],
  [0, 'failed', 'list'],
  [0, 'failed', 'list', '--json'],
  [3, 'plan', 'good', '--json'],
  [0, 'collections', 'list', '--json'],
  [0, 'schedule', 'set', 'good'],
  [0, 'schedule', 'list', '--json'],
  [0, 'ingest', 'bad', '--detach', '--json'],
  [3, 'failed', 'retry', '--json'],
  [0, 'failed', 'drop', '--json'],
];

const WRONG = (port: number): Record<string, string>[] => [
  { REDIS_URL: `redis://embedline:${MARK}-password@127.0.0.1:${port}` },
  { REDIS_URL: `redis://embedline:${MARK}-host@127.0.0.1:1` },
  { REDIS_URL: `http://embedline:${MARK}-kind@127.0.0.1:1` },
  { REDIS_URL: `redis://embedline:${MARK}-not a url` },
  { QDRANT_API_KEY: `${MARK}-wrong-key` },
  { QDRANT_URL: `http://user:${MARK}-in-the-url@127.0.0.1:1` },
  { QDRANT_URL: 'http://127.0.0.1:1' },
];

test(
  'no command prints, stores or passes on a secret, when it succeeds and when it fails',
  { timeout: 300_000 },
  async () => {
    const { bench, admin, server, run, watch } = await secretive();
    await configure(bench);
    const worker = bench.startWorker();
    for (const [code, ...args] of SUCCEED) {
      const result = await run(args);
      expect(result.code, `${args.join(' ')}\n${result.stdout}${result.stderr}`).toBe(code);
    }
    const [inference = ''] = await childrenOf(worker.process.pid);
    expect(await readFile(`/proc/${inference}/environ`, 'utf8')).toContain('PATH=');
    expect(await readFile(`/proc/${inference}/environ`, 'utf8')).not.toContain(MARK);
    await run(['doctor', '--json']);
    expect(await run(['ingest', 'hub', '--json'])).toMatchObject({ code: 1 });
    const serve = bench.start(['serve']);
    await until('the ingest that was handed over has ended', () => /"Ingest [a-z-]+"/.test(serve.output()));
    const refusing: RunningCli[] = [];
    for (const env of WRONG(server.port)) {
      for (const args of [['ingest', 'good', '--json'], ['search', 'x', '--collection', 'good'], ['doctor']])
        await run(args, env);
      refusing.push(bench.startWorker([], env));
    }
    await until('every worker has said what is wrong', () =>
      refusing.every((one) => /"msg":"[^"]*(Redis|REDIS_URL|Qdrant|QDRANT_URL)/.test(one.output())),
    );
    for (const running of [serve, worker, ...refusing]) {
      running.process.kill('SIGTERM');
      await running.result;
      expect(running.output()).not.toContain(MARK);
    }
    const kept = await everythingIn(admin);
    expect(kept).toContain('[redacted]');
    expect(kept).not.toContain(MARK);
    const [seen, told] = [await watch(), 'apps/worker/src/main.ts'];
    expect(seen.some((line) => line.includes(told))).toBe(true);
    expect(seen.filter((line) => line.includes(MARK) && !line.includes('fails.mjs'))).toEqual([]);
  },
);

async function childrenOf(pid: number | undefined): Promise<string[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ');
}

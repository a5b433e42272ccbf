import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { announceWorker, encodeJob, EmbedlineError, RunLedger, runKeys, Schedules } from '@embedline/core';
import { acquireRunLock } from '../../packages/core/src/run/run-lock.ts';
import { announceServer, listServers } from '../../packages/core/src/schedule/server-registry.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { mutateText, pick, STEERING } from '../support/mutate.ts';
import { seededRandom, type Random } from '../support/seeded-random.ts';
import { chunkOf, MANIFEST } from '../support/points.ts';
import { testPrefix, testRedis } from '../support/redis.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { treeOf } from '../support/tree.ts';

const CASES = 500;
const CHANGES = 8;

/** One of every record that embedline keeps in Redis. */
async function populated() {
  const [redis, prefix] = [testRedis(), testPrefix()];
  const keys = runKeys(prefix);
  const ledger = new RunLedger({ redis, prefix });
  const runSpec = (runId: string) => ({
    runId,
    pipeline: 'docs',
    collection: 'docs',
    storeKind: 'sqlite' as const,
    generation: { collection: 'docs', name: 'docs--g1-00000000', identity: 'x' },
    model: MANIFEST.model,
    runSequence: 1,
  });
  const letter = {
    key: 'k',
    stage: 'embed' as const,
    code: 'EMBEDDING_FAILED',
    reason: 'it failed',
    documentId: 'd',
    chunkIndex: 0,
    origin: { file: 'a.jsonl', line: 3 },
    excerpt: 'a text',
    attempts: 1,
  };
  await ledger.create(runSpec('ended'));
  await ledger.addDeadLetters('ended', [letter, { ...letter, key: 'l' }]);
  await redis.hset(
    keys.retryJobs('ended'),
    'k',
    JSON.stringify(encodeJob('ended', 0, [chunkOf('d', 'a text')])),
  );
  await ledger.end('ended', 'failed', 'it failed');
  await ledger.create(runSpec('running'));
  await ledger.setWaiting('running', { reason: 'Qdrant is away', sinceMs: 1 });
  const worker = await announceWorker({ redis, prefix, workerId: 'w', concurrency: 1 });
  worker.setRefusals([{ runId: 'running', code: 'STORE_MISMATCH', reason: 'another store', sinceMs: 1 }]);
  const owner = { host: 'h', pid: process.pid, runId: 'running' };
  const signal = new AbortController().signal;
  const lock = await acquireRunLock({ redis, prefix, scope: 'pipeline:docs', owner, wait: false, signal });
  const schedules = new Schedules({ connection: redis, prefix });
  await schedules.set({ pipeline: 'docs', cron: '0 3 * * *', timeZone: 'UTC', overlap: 'skip' });
  await schedules.request('docs', { rebuild: true });
  await announceServer(
    redis,
    prefix,
    { id: 's', host: 'h', path: '/c.json', pipelines: ['docs'] },
    Date.now(),
  );
  await redis.hset(keys.servedTicks, 'docs', String(Date.now()));
  const result = {
    outcome: 'failed',
    message: 'no',
    runId: 'ended',
    endedAtMs: 1,
    scheduledForMs: 1,
    kind: 'scheduled',
  };
  await redis.hset(keys.ingestResults, 'docs', JSON.stringify(result));
  await redis.set(keys.waitingIngest('docs'), 'x');
  onTestFinished(async () => {
    await schedules.close();
    await worker.close();
    await lock.release();
  });
  return { redis, prefix, ledger, schedules };
}

type Stored = readonly [key: string, type: string, field: string, text: string];

test(
  `every record in Redis: ${CASES} times ${CHANGES} changed values, no crash, nothing printed raw, nothing written`,
  { timeout: 120_000 },
  async () => {
    const { redis, prefix, ledger, schedules } = await populated();
    const stored: Stored[] = [];
    for (const key of await redis.keys(`${prefix}:*`)) {
      const type = await redis.type(key);
      if (type === 'string') stored.push([key, type, '', (await redis.get(key)) ?? '']);
      if (type === 'hash')
        for (const [field, text] of Object.entries(await redis.hgetall(key)))
          stored.push([key, type, field, text]);
      if (type === 'zset')
        for (const member of await redis.zrange(key, '0', '-1')) stored.push([key, type, member, member]);
    }
    expect(new Set(stored.map(([key]) => key)).size).toBeGreaterThan(12);
    const write = async ([key, type, field]: Stored, text: string) => {
      if (type === 'string') await redis.set(key, text);
      else if (type === 'hash') await redis.hset(key, field, text);
      else await redis.zadd(key, String(Date.now()), text);
    };
    const restore = async (one: Stored, text: string) => {
      if (one[1] === 'zset' && text !== one[2]) await redis.zrem(one[0], text);
      await write(one, one[3]);
    };
    const directory = await temporaryDirectory();
    const home = join(directory, 'state');
    const env = {
      REDIS_URL: inject('redisUrl'),
      EMBEDLINE_PREFIX: prefix,
      EMBEDLINE_HOME: home,
      EMBEDLINE_LOG_LEVEL: 'fatal',
    };
    const random = seededRandom(20_261_127);
    for (let number = 0; number < CASES; number += 1) {
      const changes = Array.from({ length: CHANGES }, () => {
        const one = pick(random, stored);
        return [one, mutateText(one[3], random)] as const;
      });
      for (const [one, text] of changes) await write(one, text);
      const said =
        number % 10 === 0
          ? await command({ directory, env }, random)
          : await read({ ledger, schedules, redis, prefix });
      const what = `case ${number}: ${said}\n${JSON.stringify(changes).slice(0, 2_000)}`;
      expect(said, what).not.toMatch(/This is a bug|TypeError|RangeError|SyntaxError/);
      expect(STEERING.test(said), what).toBe(false);
      for (const [one, text] of changes) await restore(one, text);
    }
    expect(await treeOf(directory)).toEqual({});
  },
);

const COMMANDS = [
  ['status'],
  ['status', '--json'],
  ['runs', 'list'],
  ['runs', 'list', '--json'],
  ['failed', 'list'],
  ['failed', 'list', '--json', '--run', 'ended'],
  ['schedule', 'list'],
  ['schedule', 'list', '--json'],
  ['runs', 'prune', '--dry-run'],
] as const;

async function command(bench: Parameters<typeof runInProcess>[0], random: Random): Promise<string> {
  const args = [...pick(random, COMMANDS)];
  const { stdout, stderr } = await runInProcess(bench, args);
  return `${args.join(' ')}: ${stdout}${stderr}`;
}

/** What the programs read of it, without a command around it. @returns errors that are none of embedline's own */
async function read({
  ledger,
  schedules,
  redis,
  prefix,
}: Awaited<ReturnType<typeof populated>>): Promise<string> {
  const answers = await Promise.allSettled([
    ledger.list(),
    ledger.spec('running'),
    ledger.progress('ended'),
    ledger.deadLetters('ended'),
    ledger.retryJobs('ended'),
    schedules.list(),
    listServers(redis, prefix, Date.now()),
  ]);
  return answers
    .filter((answer) => answer.status === 'rejected')
    .filter(({ reason }) => !(reason instanceof EmbedlineError))
    .map(({ reason }) => String(reason))
    .join('\n');
}

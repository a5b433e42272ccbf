import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectedWorkers, RunLedger } from '@embedline/core';
import { expect, onTestFinished, test } from 'vitest';
import { jsonl, testBench } from '../support/cli.ts';
import { privateRedis } from '../support/private-redis.ts';
import { until } from '../support/temporary.ts';

/** What may be away in the moment of a signal. A server that is stopped keeps its connections and says nothing. */
const FAULTS = {
  'is gone': (pid: number) => process.kill(pid, 'SIGKILL'),
  'says nothing any more': (pid: number) => {
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
  },
} as const;

test.each(
  (['is gone', 'says nothing any more'] as const).flatMap((fault) =>
    (['ingest', 'status --watch', 'a worker'] as const).map((program) => [program, fault] as const),
  ),
)('%s ends after a signal when Redis %s', { timeout: 60_000 }, async (program, fault) => {
  const server = await privateRedis();
  const redis = server.connect();
  const pid = Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1]);
  const bench = await testBench({ REDIS_URL: server.url });
  await writeFile(join(bench.directory, 'corpus.jsonl'), jsonl([{ id: 'a', text: 'one two' }]));
  const ledger = new RunLedger({ redis, prefix: bench.prefix });
  // Nobody works at it: it runs until it is told to stop.
  const ingest =
    program === 'a worker'
      ? null
      : bench.start(['ingest', 'corpus.jsonl', '--collection', 'docs', '--workers', '0']);
  if (ingest !== null) await until('the run has begun', async () => (await ledger.list()).length === 1);
  const running =
    program === 'a worker'
      ? bench.startWorker(['--concurrency', '1', '--grace', '2'])
      : program === 'ingest' && ingest !== null
        ? ingest
        : bench.start(['status', '--watch', '--json']);
  if (program === 'a worker')
    await until('it is known', async () => (await connectedWorkers(redis, bench.prefix)).length === 1);
  if (program === 'status --watch') await until('it watches', () => running.output().includes('running'));
  redis.disconnect();
  FAULTS[fault](pid);
  running.process.kill('SIGTERM');
  const { code } = await running.result;
  expect(code).toBe(program === 'a worker' ? 0 : 130);
});

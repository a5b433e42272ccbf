import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunLedger } from '@embedline/core';
import { expect, test } from 'vitest';
import { jsonl, testBench } from '../support/cli.ts';
import { testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const PACED_WORKER = fileURLToPath(new URL('../support/paced-worker.ts', import.meta.url));
const CHUNKS_PER_BATCH = 256;

test('as many batches as workers: each gets one', async () => {
  const bench = await testBench();
  const records = Array.from({ length: 3 * CHUNKS_PER_BATCH }, (_, index) => ({
    id: `d${index}`,
    text: `Text ${index}.`,
  }));
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(records));
  const redis = testRedis();
  const workers = [1, 2, 3].map(() => bench.startProgram(PACED_WORKER, { PACED_MS_PER_TEXT: '10' }));
  await until('all are ready', () => workers.every((worker) => worker.output().includes('Worker is ready')));
  const { code } = await bench.run(['ingest', 'docs.jsonl', '--collection', 'docs', '--workers', '0']);
  expect(code).toBe(0);
  const [run] = await new RunLedger({ redis, prefix: bench.prefix }).list(1);
  expect(run?.byWorker.map(({ batches }) => batches)).toEqual([1, 1, 1]);
});

import { randomUUID } from 'node:crypto';
import { RunLedger, type RedisConnection, type RunSpec } from '@embedline/core';
import { MANIFEST } from './points.ts';
import { testPrefix, testRedis } from './redis.ts';

/** A ledger of its own, and runs in it that nobody works on. */
export function testLedger(redis: RedisConnection = testRedis(), prefix = testPrefix()) {
  const ledger = new RunLedger({ redis, prefix });
  return { redis, prefix, ledger, record: (changes: Partial<RunSpec> = {}) => recordRun(ledger, changes) };
}

/** Writes the record of a new run. @returns its id */
export async function recordRun(ledger: RunLedger, changes: Partial<RunSpec> = {}): Promise<string> {
  const { runId = `run-${randomUUID().slice(0, 8)}`, pipeline = 'docs', collection = 'docs' } = changes;
  await ledger.create({
    runId,
    pipeline,
    collection,
    storeKind: 'sqlite',
    generation: { collection, name: `${collection}--g1-00000000`, identity: 'x' },
    model: MANIFEST.model,
    runSequence: 1,
    ...changes,
  });
  return runId;
}

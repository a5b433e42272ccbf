import { onTestFinished } from 'vitest';
import {
  createBatchQueue,
  createLogger,
  encodeJob,
  IMPATIENT,
  jobId,
  RunLedger,
  runKeys,
  type Point,
  type Refusal,
  type RunSpec,
  type SigningKeys,
} from '@embedline/core';
import { startBatchWorker, type BatchWorkerOptions } from '../../apps/worker/src/batch-worker.ts';
import type { RunSource } from '../../apps/worker/src/open-runs.ts';
import { RejectionBreaker } from '../../apps/worker/src/rejection-breaker.ts';
import { fakeEmbedder } from './fake-embedder.ts';
import { chunkOf, MANIFEST } from './points.ts';
import { testPrefix, testRedis } from './redis.ts';

/** What a worker meets when it looks at a run, and when it works for it. */
export interface Meets {
  readonly prove?: (run: RunSpec) => void;
  readonly fails?: (text: string) => boolean;
  readonly upsert?: (run: RunSpec, points: readonly Point[]) => Promise<void> | void;
}

/** Runs whose batches are queued, and workers in this process, around a real Redis and nothing else. */
export function batchFleet(signingKeys: SigningKeys | null = null, prefix = testPrefix()) {
  const redis = testRedis();
  const ledger = new RunLedger({ redis, prefix, signingKeys });
  const queue = createBatchQueue({ connection: redis, prefix, signingKeys });
  onTestFinished(() => queue.close());
  /** A sealed run of batches of two chunks each. */
  const enqueue = async (runId: string, batches: number) => {
    const generation = { collection: 'docs', name: 'docs--g1-00000000', identity: 'x' };
    const place = { pipeline: runId, collection: 'docs', storeKind: 'sqlite' as const, generation };
    await ledger.create({ ...place, runId, model: MANIFEST.model, runSequence: 1 });
    const jobs = Array.from({ length: batches }, (_, index) =>
      encodeJob(runId, index, [
        chunkOf(`a${index}`, `Text ${index}.`, { pipeline: runId }),
        chunkOf(`b${index}`, `Text ${index}.`, { pipeline: runId }),
      ]),
    );
    await queue.enqueue(jobs);
    await redis.hset(runKeys(prefix).run(runId), {
      sealed: 1,
      batchesTotal: batches,
      chunksEnqueued: 2 * batches,
    });
  };
  /** What BullMQ counts of the jobs of a run: how often they were begun, how often they failed. */
  const attempts = async (runId: string) => {
    const base = `${prefix}:${runKeys(prefix).queueName(runId)}`;
    const ids = await redis.lrange(`${base}:wait`, 0, -1);
    const counts = await Promise.all(ids.map((id) => redis.hmget(`${base}:${id}`, 'ats', 'atm', 'stc')));
    return counts.flat().filter((count) => count !== null && count !== '0');
  };
  return {
    redis,
    prefix,
    ledger,
    queue,
    enqueue,
    attempts,
    run: async (runId: string) => {
      const run = await ledger.progress(runId);
      if (run === null) throw new Error(`There is no run ${runId}.`);
      return run;
    },
    queueKeyOf: (runId: string, batchIndex: number) =>
      `${prefix}:${runKeys(prefix).queueName(runId)}:${jobId(runId, batchIndex)}`,
    start: (meets: Meets = {}, options: Partial<BatchWorkerOptions> = {}) => {
      const own = new RunLedger({ redis, prefix, signingKeys: options.signingKeys });
      const refusals: Refusal[][] = [];
      const worker = startBatchWorker({
        redis: testRedis('worker'),
        prefix,
        ledger: own,
        runs: sourceOf(own, meets),
        workerId: 'worker',
        logger: createLogger({ name: 'test', level: 'fatal' }),
        processes: 1,
        lookEveryMs: 10,
        lockDurationMs: 30_000,
        patience: IMPATIENT,
        breaker: new RejectionBreaker(),
        onRefusals: (all) => refusals.push([...all]),
        ...options,
      });
      onTestFinished(() => worker.close(0));
      return { refusals: () => refusals.at(-1) ?? [], close: (graceMs = 1_000) => worker.close(graceMs) };
    },
  };
}

function sourceOf(ledger: RunLedger, { prove, upsert, fails }: Meets): RunSource {
  return {
    prove: async (runId) => {
      const spec = await ledger.spec(runId);
      if (spec === null) throw new Error(`There is no run ${runId}.`);
      prove?.(spec);
      return spec;
    },
    borrow: (spec) => ({
      open: async () => ({
        spec,
        embedder: fakeEmbedder(spec.model, undefined, fails),
        points: { upsert: async (points) => upsert?.(spec, points), close: async () => undefined },
      }),
      release: () => undefined,
    }),
    retain: () => undefined,
  };
}

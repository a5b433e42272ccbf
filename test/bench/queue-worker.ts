/**
 * A worker that does all that a worker does but compute and store: jobs are taken, checked, decoded and counted. Told
 * the prefix by its environment, as any worker; stops when its parent does.
 */
import {
  connectRedis,
  createLogger,
  IMPATIENT,
  loadConfig,
  RunLedger,
  type Embedder,
  type RunSpec,
} from '@embedline/core';
import { startBatchWorker } from '../../apps/worker/src/batch-worker.ts';
import type { RunSource } from '../../apps/worker/src/open-runs.ts';
import { RejectionBreaker } from '../../apps/worker/src/rejection-breaker.ts';

const PROCESSES = 1;

const { prefix, redisUrl } = loadConfig();
const redis = connectRedis({ url: redisUrl ?? '', role: 'worker' });
const ledger = new RunLedger({ redis, prefix });
const worker = startBatchWorker({
  redis,
  prefix,
  ledger,
  runs: nullRuns(),
  workerId: String(process.pid),
  logger: createLogger({ name: 'queue-worker', level: 'warn' }),
  processes: PROCESSES,
  lockDurationMs: 30_000,
  patience: IMPATIENT,
  breaker: new RejectionBreaker(),
  onRefusals: ([refusal]) => {
    if (refusal !== undefined) throw new Error(refusal.reason);
  },
});
process.on('disconnect', () => void worker.close(0).then(() => process.exit()));
process.send?.('ready');

function nullRuns(): RunSource {
  return {
    prove: async (runId) => {
      const spec = await ledger.spec(runId);
      if (spec === null) throw new Error(`There is no run ${runId}.`);
      return spec;
    },
    borrow: (spec) => ({
      open: async () => ({
        spec,
        embedder: nullEmbedder(spec),
        points: { upsert: async () => {}, close: async () => {} },
      }),
      release: () => undefined,
    }),
    retain: () => undefined,
  };
}

function nullEmbedder({ model }: RunSpec): Embedder {
  const vector = new Float32Array(model.dimensions);
  return {
    model,
    embed: async (texts) => ({ vectors: texts.map(() => vector), tokens: texts.map(() => 1) }),
    countTokens: () => 1,
    close: async () => {},
  };
}

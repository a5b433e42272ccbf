import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  acquireRedis,
  announceWorker,
  checkRedis,
  connectRedis,
  openVectorStore,
  Releasers,
  RunLedger,
  type Config,
  type Logger,
} from '@embedline/core';
import { startBatchWorker } from './batch-worker.ts';
import { OpenRuns } from './open-runs.ts';

export interface WorkerProgramOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Inference processes; one core each. */
  readonly concurrency: number;
  /** Time that batches under way get to end after a stop was asked for. */
  readonly graceMs: number;
  /** Fires when the worker shall stop. */
  readonly stop: AbortSignal;
}

/**
 * Works until told to stop, or until it finds that it must not: then the returned promise is rejected with the reason
 * (STORE_MISMATCH, MODEL_MISMATCH, ...), after everything was handed back and released.
 */
export async function runWorker(options: WorkerProgramOptions): Promise<void> {
  const { config, logger, concurrency, stop } = options;
  await using releasers = new Releasers();
  const redis = await connect(releasers, options);
  const ledger = new RunLedger({ redis: redis.commands, prefix: config.prefix });
  const store = releasers.own(await openVectorStore(config, { onWarning: (text) => logger.warn(text) }));
  const runs = releasers.own(
    new OpenRuns({
      ledger,
      store,
      config,
      embedder: { processes: concurrency, onWarning: (text) => logger.warn(text) },
    }),
  );
  const workerId = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const presence = releasers.own(
    await announceWorker({ redis: redis.commands, prefix: config.prefix, workerId, concurrency }),
  );
  const refused = Promise.withResolvers<never>();
  const worker = startBatchWorker({
    connection: redis.blocking,
    prefix: config.prefix,
    ledger,
    runs,
    workerId,
    logger,
    concurrency: concurrency + 1,
    onWaiting: (error) => presence.setWaiting(error?.message ?? null),
    onRefusal: refused.reject,
  });
  releasers.add(() => worker.close(options.graceMs));
  logger.info({ workerId, concurrency, store: store.location }, 'Worker is ready');
  await Promise.race([aborted(stop), refused.promise]);
}

async function connect(releasers: Releasers, { config, logger, stop }: WorkerProgramOptions) {
  const lease = await acquireRedis({
    dataDirectory: config.dataDirectory,
    url: config.redisUrl ?? undefined,
    noInstall: config.noInstall,
    announce: (text) => logger.info(text),
    signal: stop,
  });
  releasers.add(() => lease.close());
  const onError = (message: string) => logger.warn(message);
  const open = (role: 'worker' | 'producer') => {
    const redis = connectRedis({ url: lease.url, role, name: 'embedline-worker', onError });
    releasers.add(() => redis.disconnect());
    return redis;
  };
  const commands = open('worker');
  for (const warning of await checkRedis(commands)) logger.warn(warning);
  return { commands, blocking: open('worker') };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  acquireRedis,
  announceWorker,
  checkRedis,
  connectRedis,
  createEmbedder,
  DEFAULT_LOCK_DURATION_MS,
  isEmbedlineError,
  machineLimits,
  openVectorStore,
  Outages,
  Releasers,
  RunLedger,
  type Config,
  type EmbedderOptions,
  type Logger,
  type WorkerPresence,
} from '@embedline/core';
import { startBatchWorker } from './batch-worker.ts';
import { OpenRuns } from './open-runs.ts';
import { RejectionBreaker } from './rejection-breaker.ts';
import { reportOutages } from './report-outages.ts';

export interface WorkerProgramOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** How the model is run, as far as somebody says it; what is not said is measured once, and remembered. */
  readonly inference: Pick<EmbedderOptions, 'processes' | 'threadsPerProcess' | 'microBatchTokens'>;
  /** Time that batches under way get to end after a stop was asked for. */
  readonly graceMs: number;
  /** A batch of this worker goes to another one when this one has not been heard of for so long. Defaults to 30,000. */
  readonly lockDurationMs?: number;
  /** Opens the model of a run. Defaults to inference processes on this machine. */
  readonly openEmbedder?: typeof createEmbedder;
  /** Fires when the worker shall stop. */
  readonly stop: AbortSignal;
}

/** Beyond the grace time, for handing back what has not ended. */
const HAND_BACK_MS = 3_000;

/**
 * Works until told to stop, or until it finds that it must not: then the returned promise is rejected with the reason
 * (STORE_MISMATCH, MODEL_MISMATCH, ...), after everything was handed back and released.
 */
export async function runWorker(options: WorkerProgramOptions): Promise<void> {
  const { stop } = options;
  const releasers = new Releasers();
  try {
    await work(options, releasers);
  } catch (error) {
    // Told to stop while it waited for a service.
    if (!stop.aborted || isEmbedlineError(error)) throw error;
  } finally {
    await releaseInTime(releasers, options);
  }
}

/** A Redis that is away takes nothing back, and hands the batches of a worker that has gone silent to others by itself. */
async function releaseInTime(releasers: Releasers, { graceMs, logger }: WorkerProgramOptions): Promise<void> {
  const late = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => late.resolve('late'), graceMs + HAND_BACK_MS);
  const outcome = await Promise.race([releasers.release(), late.promise]);
  clearTimeout(timer);
  if (outcome === 'late')
    logger.warn('Redis is away: what this worker had begun goes to others once its locks have run out');
}

async function work(options: WorkerProgramOptions, releasers: Releasers): Promise<void> {
  const { config, logger, inference, stop } = options;
  const concurrency = inference.processes ?? machineLimits().cores;
  const { prefix } = config;
  let presence: WorkerPresence | null = null;
  const report = reportOutages(logger);
  const patience = new Outages({
    onChange: (outage) => {
      presence?.setWaiting(outage?.reason ?? null);
      report(outage);
    },
  });
  // A fleet may start before its services do.
  const redis = await patience.waitOut(() => connect(releasers, options), stop);
  const ledger = new RunLedger({ redis: redis.commands, prefix });
  const workerId = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  presence = releasers.own(await announceWorker({ redis: redis.commands, prefix, workerId, concurrency }));
  const openStore = () => openVectorStore(config, { onWarning: (text) => logger.warn(text), patience });
  const store = releasers.own(await patience.waitOut(openStore, stop));
  const runs = releasers.own(
    new OpenRuns({
      ledger,
      store,
      config,
      embedder: embedderOptions(options),
      openEmbedder: options.openEmbedder ?? createEmbedder,
    }),
  );
  const refused = Promise.withResolvers<never>();
  const worker = startBatchWorker({
    connection: redis.blocking,
    commands: redis.commands,
    prefix,
    ledger,
    runs,
    workerId,
    logger,
    processes: concurrency,
    lockDurationMs: options.lockDurationMs ?? DEFAULT_LOCK_DURATION_MS,
    patience,
    breaker: new RejectionBreaker(),
    onRefusal: refused.reject,
  });
  releasers.add(() => worker.close(options.graceMs), { deadlineMs: options.graceMs + HAND_BACK_MS });
  logger.info({ workerId, concurrency, store: store.location }, 'Worker is ready');
  await Promise.race([aborted(stop), refused.promise]);
  const signal = String(stop.reason);
  logger.info(
    { signal, graceMs: options.graceMs },
    `${signal}: what is under way may come to its end; a second signal ends at once`,
  );
}

function embedderOptions({ inference, config, logger }: WorkerProgramOptions): EmbedderOptions {
  const isSaid = Object.values(inference).some((value) => value !== undefined);
  return {
    ...inference,
    onWarning: (text) => logger.warn(text),
    tuning: {
      dataDirectory: config.dataDirectory,
      measure: !isSaid,
      onMeasuring: () =>
        logger.info('Measuring how the model runs fastest on this machine (once, some seconds)'),
      onChosen: (tuning) => logger.info(tuning, 'Inference is set up'),
    },
  };
}

async function connect(releasers: Releasers, { config, logger, stop }: WorkerProgramOptions) {
  const lease = await acquireRedis({
    dataDirectory: config.dataDirectory,
    url: config.redisUrl ?? undefined,
    access: config.redisAccess,
    prefix: config.prefix,
    noInstall: config.noInstall,
    announce: (text) => logger.info(text),
    signal: stop,
  });
  releasers.add(() => lease.close());
  const onError = (message: string) => logger.warn(message);
  const open = (role: 'worker' | 'producer') => {
    const access = config.redisAccess;
    const redis = connectRedis({ url: lease.url, access, role, name: 'embedline-worker', onError });
    releasers.add(() => redis.disconnect());
    return redis;
  };
  const commands = open('worker');
  for (const warning of await checkRedis(commands, { prefix: config.prefix })) logger.warn(warning);
  return { commands, blocking: open('worker') };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  acquireRedis,
  announceWorker,
  checkRedis,
  connectRedis,
  createEmbedder,
  DEFAULT_LOCK_DURATION_MS,
  isEmbedlineError,
  machineLimits,
  messageOf,
  openVectorStore,
  Outages,
  Releasers,
  RunLedger,
  signingKeysFor,
  throttle,
  type Config,
  type EmbedderOptions,
  type Logger,
  type Patience,
  type Refusal,
  type VectorStore,
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
  /** Told of each run that this worker leaves to others, and why. */
  readonly onRefusal?: (refusal: Refusal) => void;
  /** A run that was refused is looked at again after so long, and later each time. Defaults to 30,000. */
  readonly judgeAgainMs?: number;
  /** Fires when the worker must stop. */
  readonly stop: AbortSignal;
}

/** Beyond the grace time, for handing back what has not ended. */
const HAND_BACK_MS = 3_000;
const STORE_RETRY_MS = 10_000;

/**
 * Works until told to stop. A run that it cannot serve (another store, another model, a newer version) is left to others;
 * see served-runs.ts. Rejects when the worker cannot begin, after everything was released.
 */
export async function runWorker(options: WorkerProgramOptions): Promise<void> {
  const { stop } = options;
  const releasers = new Releasers();
  try {
    // Told to stop, it waits for nothing that it still needs to begin.
    await Promise.race([work(options, releasers), aborted(stop).then(nextTurn)]);
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

/** After what waits for the stop as well has had its say. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
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
  const { redis, lease } = await patience.waitOut(() => connect(releasers, options), stop);
  const signingKeys = signingKeysFor(config, lease);
  const ledger = new RunLedger({ redis, prefix, signingKeys });
  const workerId = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  presence = releasers.own(await announceWorker({ redis, prefix, workerId, concurrency }));
  const store = releasers.own(await openStore(options, patience, presence));
  const runs = releasers.own(
    new OpenRuns({
      ledger,
      store,
      config,
      embedder: embedderOptions(options),
      openEmbedder: options.openEmbedder ?? createEmbedder,
    }),
  );
  const worker = startBatchWorker({
    redis,
    prefix,
    ledger,
    runs,
    workerId,
    logger,
    processes: concurrency,
    lockDurationMs: options.lockDurationMs ?? DEFAULT_LOCK_DURATION_MS,
    patience,
    signingKeys,
    breaker: new RejectionBreaker(),
    onRefusals: tellRefusals(presence, options),
    ...(options.judgeAgainMs === undefined ? {} : { judgeAgainMs: options.judgeAgainMs }),
  });
  releasers.add(() => worker.close(options.graceMs), { deadlineMs: options.graceMs + HAND_BACK_MS });
  logger.info({ workerId, concurrency, store: store.location }, 'Worker is ready');
  await aborted(stop);
  const signal = String(stop.reason);
  logger.info(
    { signal, graceMs: options.graceMs },
    `${signal}: what is under way may come to its end; a second signal ends at once`,
  );
}

/** A store that this worker may not use now, e.g. since its key is wrong, is tried again: its operator may repair it. */
async function openStore(
  { config, logger, stop }: WorkerProgramOptions,
  patience: Patience,
  presence: WorkerPresence,
): Promise<VectorStore> {
  for (;;) {
    try {
      const open = () => openVectorStore(config, { onWarning: (text) => logger.warn(text), patience });
      const store = await patience.waitOut(open, stop);
      presence.setWaiting(null);
      return store;
    } catch (error) {
      if (stop.aborted || !isEmbedlineError(error) || !error.code.startsWith('STORE_')) throw error;
      logger.error({ code: error.code }, `Cannot use the store, and tries again: ${messageOf(error)}`);
      presence.setWaiting(messageOf(error));
      await delay(STORE_RETRY_MS, undefined, { signal: stop });
    }
  }
}

/** Each refusal is told once to whoever started this worker, and all that last to everybody. */
function tellRefusals(
  presence: WorkerPresence,
  { onRefusal }: WorkerProgramOptions,
): (refusals: readonly Refusal[]) => void {
  let told: readonly Refusal[] = [];
  return (refusals) => {
    for (const refusal of refusals) if (!told.includes(refusal)) onRefusal?.(refusal);
    told = refusals;
    presence.setRefusals(refusals);
  };
}

function embedderOptions({ inference, config, logger }: WorkerProgramOptions): EmbedderOptions {
  const isSaid = Object.values(inference).some((value) => value !== undefined);
  return {
    ...inference,
    instructionSet: config.kernelInstructionSet,
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
  const warn = throttle(30_000, (message, times) => logger.warn({ times }, message));
  const onError = (message: string) => warn(message, 'redis');
  const access = config.redisAccess;
  const redis = connectRedis({ url: lease.url, access, role: 'worker', name: 'embedline-worker', onError });
  releasers.add(() => redis.disconnect());
  for (const warning of await checkRedis(redis, { prefix: config.prefix })) logger.warn(warning);
  return { redis, lease };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

import { DelayedError, UnrecoverableError, WaitingError, Worker, type Job } from 'bullmq';
import { redisNowMs } from '../redis/clock.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { EmbedlineError, messageOf } from '../errors.ts';
import { runKeys, type RunKeys } from '../run/run-keys.ts';
import {
  ingestRequestSchema,
  MAX_MESSAGE_CHARACTERS,
  type IngestRequest,
  type IngestResult,
} from './ingest-request.ts';

/** What became of one attempt at an ingest. */
export type Execution =
  | {
      readonly outcome: 'done' | 'dead-letters' | 'failed';
      readonly runId: string | null;
      readonly message: string | null;
    }
  /** Another ingest of the pipeline runs. */
  | { readonly outcome: 'locked'; readonly message: string };

export interface ExecuteOptions {
  /** Fires when the server stops, or has lost the job to another: then the ingest is to end early. */
  readonly signal: AbortSignal;
  /** To be called when the run has begun. */
  readonly onStarted: () => void;
}

export interface IngestJobsOptions {
  /** For commands; its own clock is what decides. */
  readonly redis: RedisConnection;
  /** For blocking reads, of role `worker`. */
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Ingests at a time in this process. Defaults to 1. */
  readonly concurrency?: number;
  readonly execute: (request: IngestRequest, options: ExecuteOptions) => Promise<Execution>;
  /** Told of trouble, for the log. */
  readonly onError: (message: string) => void;
  /** Told of every ingest that came to an end here. */
  readonly onResult?: (request: IngestRequest, result: IngestResult) => void;
  /** The clock of Redis in milliseconds since the epoch; for tests. */
  readonly redisNow?: () => Promise<number>;
}

/** Clocks further apart than this would run a schedule at the wrong time (hazards B10). */
const MAX_CLOCK_SKEW_MS = 5_000;
/** A server whose clock is wrong looks again after this long. */
const CLOCK_CHECK_MS = 10_000;
/** A request that waits for another ingest to end asks again after this long. */
const RETRY_MS = 2_000;
/** A waiting request that its server died with gives up its place after this long. */
const WAITING_TTL_MS = 60_000;

/**
 * Takes ingests from the queue: scheduled ones when their time has come, and requested ones. Each is taken by one
 * server; that of a server which died goes to another (lock of 30 s, looked for every 10 s), where it converges.
 */
export function startIngestJobs(options: IngestJobsOptions): { close(): Promise<void> } {
  const { onError } = options;
  const keys = runKeys(options.prefix);
  const stop = new AbortController();
  let clockTimer: NodeJS.Timeout | undefined;
  const worker = new Worker(
    keys.ingestQueueName,
    async (job, token, lost) => {
      const signal = AbortSignal.any([stop.signal, ...(lost === undefined ? [] : [lost])]);
      try {
        await assertClock(options);
      } catch (error) {
        onError(messageOf(error));
        pauseUntilClockIsRight();
        return toWait(job, token);
      }
      return perform(job, token, { ...options, keys, signal });
    },
    {
      connection: options.connection,
      prefix: options.prefix,
      concurrency: options.concurrency ?? 1,
      lockDuration: 30_000,
      stalledInterval: 10_000,
      maxStalledCount: 20,
      drainDelay: 5,
    },
  );
  worker.on('error', (error) => onError(error.message));
  worker.on('lockRenewalFailed', (jobIds: string[]) => {
    for (const id of jobIds) worker.cancelJob(id, 'lock lost');
  });
  const pauseUntilClockIsRight = () => {
    void worker.pause(true);
    clockTimer ??= setInterval(() => {
      void assertClock(options).then(resume, (error: unknown) => onError(messageOf(error)));
    }, CLOCK_CHECK_MS);
  };
  const resume = () => {
    clearInterval(clockTimer);
    clockTimer = undefined;
    void worker.resume();
  };
  return {
    close: async () => {
      clearInterval(clockTimer);
      stop.abort(new Error('the server stops'));
      await worker.close();
    },
  };
}

interface Performing extends IngestJobsOptions {
  readonly keys: RunKeys;
  readonly signal: AbortSignal;
}

async function perform(job: Job, token: string | undefined, options: Performing): Promise<string> {
  const { execute, signal, redis } = options;
  const parsed = ingestRequestSchema.safeParse(job.data);
  if (!parsed.success) {
    // Not what is wrong with it: that would repeat whatever somebody wrote there.
    const message = `A job in the queue of ingests is none of embedline's: it is dropped. If others write to this Redis, give embedline its own.`;
    options.onError(message);
    throw new UnrecoverableError(message);
  }
  const request = parsed.data;
  if (await isEarly(job, options)) return toDelayed(job, scheduledFor(job) ?? 0, token);
  const startedAtMs = Date.now();
  const waitingKey = options.keys.waitingIngest(request.pipeline);
  const onStarted = () => void leaveWaiting(redis, waitingKey, job).catch(() => undefined);
  const execution = await execute(request, { signal, onStarted }).catch((error: unknown) => {
    if (signal.aborted) return null;
    return { outcome: 'failed' as const, runId: null, message: messageOf(error) };
  });
  if (execution === null || signal.aborted) return toWait(job, token);
  const locked = execution.outcome === 'locked';
  // One whose server died is locked by what that had begun, which goes on: how it ends is not known to anybody.
  const waits = request.overlap === 'queue-one' || job.stalledCounter > 0;
  if (locked && waits && (await mayWait(redis, waitingKey, job)))
    return toDelayed(job, Date.now() + RETRY_MS, token);
  const result: IngestResult = {
    outcome: execution.outcome === 'locked' ? 'skipped' : execution.outcome,
    kind: request.kind,
    runId: execution.outcome === 'locked' ? null : execution.runId,
    scheduledForMs: scheduledFor(job),
    startedAtMs,
    endedAtMs: Date.now(),
    message: execution.message?.slice(0, MAX_MESSAGE_CHARACTERS) ?? null,
  };
  await redis.hset(options.keys.ingestResults, request.pipeline, JSON.stringify(result));
  options.onResult?.(request, result);
  return result.outcome;
}

/** @throws EmbedlineError REDIS_UNSUITABLE when the clocks are too far apart */
async function assertClock(options: IngestJobsOptions): Promise<void> {
  const skewMs = Math.abs(Date.now() - (await redisNow(options)));
  if (skewMs <= MAX_CLOCK_SKEW_MS) return;
  throw new EmbedlineError(
    'REDIS_UNSUITABLE',
    `The clocks of this machine and of Redis are ${Math.round(skewMs / 1000)} seconds apart: no ingest is started here until ` +
      `they agree. Synchronise them (NTP).`,
  );
}

async function redisNow({ redis, prefix, redisNow: read }: IngestJobsOptions): Promise<number> {
  return read === undefined ? redisNowMs(redis, runKeys(prefix).runs) : read();
}

/** Another server's clock may have brought it forward. */
async function isEarly(job: Job, options: IngestJobsOptions): Promise<boolean> {
  const dueMs = scheduledFor(job);
  return dueMs !== null && dueMs - (await redisNow(options)) > MAX_CLOCK_SKEW_MS;
}

/** Back into the queue, for whoever is next. A server whose clock is wrong does only this: BullMQ delays by that clock. */
async function toWait(job: Job, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

async function toDelayed(job: Job, untilMs: number, token: string | undefined): Promise<never> {
  await job.moveToDelayed(untilMs, token);
  throw new DelayedError();
}

function scheduledFor(job: Job): number | null {
  return job.repeatJobKey === undefined ? null : (job.opts.prevMillis ?? null);
}

/** Takes, or keeps, the one place in which a request of a pipeline may wait. */
async function mayWait(redis: RedisConnection, key: string, job: Job): Promise<boolean> {
  const id = String(job.id);
  if ((await redis.set(key, id, 'PX', WAITING_TTL_MS, 'NX')) !== null) return true;
  if ((await redis.get(key)) !== id) return false;
  await redis.pexpire(key, WAITING_TTL_MS);
  return true;
}

async function leaveWaiting(redis: RedisConnection, key: string, job: Job): Promise<void> {
  if ((await redis.get(key)) === job.id) await redis.del(key);
}

import { DelayedError, UnrecoverableError, WaitingError, type Job } from 'bullmq';
import { cutText } from '../chunking/cut-text.ts';
import { EmbedlineError, messageOf } from '../errors.ts';
import { newerVersion } from '../format-version.ts';
import { Outages } from '../outages.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { redisNowMs } from '../redis/clock.ts';
import { redisFailure } from '../run/redis-failure.ts';
import { runKeys, type RunKeys } from '../run/run-keys.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
import { scheduledRequest, tickOfJobId } from './ingest-queue.ts';
import {
  ingestRequestSchema,
  MAX_MESSAGE_CHARACTERS,
  REQUEST_VERSION,
  unknownOptions,
  type IngestRequest,
  type IngestResult,
} from './ingest-request.ts';
import { dueTick, isTickOf } from './schedule-record.ts';
import { assertRequestSigned } from './signed-request.ts';
import { ScheduleStore } from './schedule-store.ts';
import { listServers } from './server-registry.ts';

/** What became of one attempt at an ingest. */
export type Execution =
  | {
      readonly outcome: 'done' | 'dead-letters' | 'failed';
      readonly runId: string | null;
      readonly message: string | null;
      /** The code of the error that it ended with. */
      readonly code?: string | undefined;
      /** The summary that the ingest printed. */
      readonly summary?: Readonly<Record<string, unknown>> | undefined;
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
  /** Whether this server knows a pipeline. One that it does not know is left to a server that does. Defaults to all. */
  readonly serves?: ((pipeline: string) => boolean) | undefined;
  /** Told of trouble, for the log. */
  readonly onError: (message: string) => void;
  /** Told of every ingest that came to an end here. */
  readonly onResult?: (request: IngestRequest, result: IngestResult, execution: Execution) => void;
  /** The clock of Redis in milliseconds since the epoch; for tests. */
  readonly redisNow?: () => Promise<number>;
  /** Longest time between two looks at the schedules. Defaults to 5,000. */
  readonly lookEveryMs?: number;
  /** Decide which requests and schedules are run. Defaults to none. */
  readonly signingKeys?: SigningKeys | null | undefined;
}

/** Clocks further apart than this would run a schedule at the wrong time (hazards B10). */
const MAX_CLOCK_SKEW_MS = 5_000;
/** A request that waits for another ingest to end asks again after this long. */
const RETRY_MS = 2_000;
/** A request for a pipeline that other servers know is back in the queue after this long. */
const ELSEWHERE_MS = 1_000;
/** What this server cannot read is offered again after this long, to whichever server takes it then. */
const LEFT_TO_NEWER_MS = 5_000;
/** A waiting request that its server died with gives up its place after this long. */
const WAITING_TTL_MS = 60_000;

export interface Performing extends IngestJobsOptions {
  readonly keys: RunKeys;
  readonly signal: AbortSignal;
}

/** Does what a job asks for. @returns how it ended, for BullMQ's record */
export async function performIngest(
  job: Job,
  token: string | undefined,
  options: Performing,
): Promise<string> {
  const { execute, signal, redis } = options;
  if (newerVersion(job.data, REQUEST_VERSION) !== null) {
    options.onError(
      `An ingest was asked for by a newer version of embedline: it is left to a server of that version. ` +
        `Update embedline on this machine.`,
    );
    return toDelayed(job, Date.now() + LEFT_TO_NEWER_MS, token);
  }
  const parsed = ingestRequestSchema.safeParse(job.data);
  if (!parsed.success) {
    // Not what is wrong with it: that would repeat whatever somebody wrote there.
    const message = `A job in the queue of ingests was not written by embedline, or is damaged: it is dropped. If other programs write to this Redis, give embedline its own.`;
    options.onError(message);
    throw new UnrecoverableError(message);
  }
  const request = await provenRequest(parsed.data, job, options);
  const unknown = unknownOptions(request);
  if (unknown.length > 0)
    options.onError(
      `An ingest of ${request.pipeline} was asked for with options of a newer version of embedline: it is done ` +
        `without them. Update embedline on this machine.`,
    );
  if (await isEarly(job, options)) return toDelayed(job, scheduledFor(job) ?? 0, token);
  if (options.serves?.(request.pipeline) === false && (await isServedElsewhere(request.pipeline, options)))
    return toDelayed(job, Date.now() + ELSEWHERE_MS, token);
  const tickMs = scheduledFor(job);
  if (tickMs !== null && (await isPast(request.pipeline, tickMs, options))) return 'past';
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
    scheduledForMs: tickMs,
    startedAtMs,
    endedAtMs: Date.now(),
    message: execution.message === null ? null : cutText(execution.message, MAX_MESSAGE_CHARACTERS),
  };
  await record(request.pipeline, result, options);
  options.onResult?.(request, result, execution);
  return result.outcome;
}

/**
 * The request, if it is one to be done: a scheduled one is what the schedule says, at one of its times; one that was asked for
 * is signed where there is a key.
 * @throws UnrecoverableError which ends the job
 */
async function provenRequest(request: IngestRequest, job: Job, options: Performing): Promise<IngestRequest> {
  const { pipeline, kind } = request;
  const refuse = (message: string): never => {
    options.onError(message);
    throw new UnrecoverableError(message);
  };
  if (kind === 'scheduled') {
    const tickMs = tickOfJobId(pipeline, job.id);
    const record = (await storeOf(options).read()).records.get(pipeline);
    if (tickMs !== null && record !== undefined && isTickOf(record, tickMs))
      return scheduledRequest(pipeline, record.overlap);
    return refuse(
      `An ingest of ${pipeline} is in the queue that no schedule asks for: it is dropped. Its schedule was changed meanwhile, or ` +
        `something else writes to this Redis.`,
    );
  }
  try {
    assertRequestSigned(job.data, job.id, options.signingKeys ?? null);
    return request;
  } catch (error) {
    return refuse(`Refused an ingest of ${pipeline}: ${messageOf(error)}`);
  }
}

function storeOf({ redis, prefix, signingKeys = null }: IngestJobsOptions): ScheduleStore {
  return new ScheduleStore(redis, prefix, signingKeys);
}

/** @throws EmbedlineError REDIS_UNSUITABLE when the clocks are too far apart */
export async function assertClock(options: IngestJobsOptions): Promise<void> {
  const skewMs = Math.abs(Date.now() - (await redisNow(options)));
  if (skewMs <= MAX_CLOCK_SKEW_MS) return;
  throw new EmbedlineError(
    'REDIS_UNSUITABLE',
    `The clocks of this machine and of Redis are ${Math.round(skewMs / 1000)} seconds apart: no ingest is started here until ` +
      `they agree. Synchronise them (NTP).`,
  );
}

export async function redisNow({ redis, prefix, redisNow: read }: IngestJobsOptions): Promise<number> {
  return read === undefined ? redisNowMs(redis, runKeys(prefix).schedules) : read();
}

async function isServedElsewhere(pipeline: string, options: IngestJobsOptions): Promise<boolean> {
  const servers = await listServers(options.redis, options.prefix, await redisNow(options));
  return servers.some(({ pipelines }) => pipelines.includes(pipeline));
}

/** True for a time that was served already, or after which another one has come: several that were missed are one ingest. */
async function isPast(pipeline: string, tickMs: number, options: IngestJobsOptions): Promise<boolean> {
  const { records, served } = await storeOf(options).read();
  const servedMs = served.get(pipeline) ?? null;
  const nowMs = await redisNow(options);
  if (servedMs !== null && servedMs >= tickMs && servedMs <= nowMs) return true;
  const record = records.get(pipeline);
  return record !== undefined && (dueTick(record, servedMs, nowMs) ?? 0) > tickMs;
}

/** However long Redis is away: an ingest that nobody noted would be done again. */
async function record(pipeline: string, result: IngestResult, options: Performing): Promise<void> {
  const { redis, keys, signal, onError } = options;
  const outages = new Outages({ onChange: (outage) => outage !== null && onError(outage.reason) });
  const doing = `Noting how the ingest of ${pipeline} ended`;
  await outages.waitOut(async () => {
    try {
      await redis.hset(keys.ingestResults, pipeline, JSON.stringify(result));
      if (result.scheduledForMs === null) return;
      await storeOf(options).markServed(pipeline, result.scheduledForMs, await redisNow(options));
    } catch (error) {
      throw redisFailure(doing, error);
    }
  }, signal);
}

/** Another server's clock may have brought it forward. */
async function isEarly(job: Job, options: IngestJobsOptions): Promise<boolean> {
  const dueMs = scheduledFor(job);
  return dueMs !== null && dueMs - (await redisNow(options)) > MAX_CLOCK_SKEW_MS;
}

/** Back into the queue, for whoever is next. A server whose clock is wrong does only this: BullMQ delays by that clock. */
export async function toWait(job: Job, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

async function toDelayed(job: Job, untilMs: number, token: string | undefined): Promise<never> {
  await job.moveToDelayed(untilMs, token);
  throw new DelayedError();
}

/** When a scheduled job was due. */
function scheduledFor(job: Job): number | null {
  const { pipeline } = job.data as Partial<IngestRequest>;
  return typeof pipeline === 'string' ? tickOfJobId(pipeline, job.id) : null;
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

import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'bullmq';
import { BoundedWorker } from '../bounded-worker.ts';
import { messageOf } from '../errors.ts';
import { runKeys } from '../run/run-keys.ts';
import {
  assertClock,
  performIngest,
  redisNow,
  toWait,
  type Execution,
  type IngestJobsOptions,
} from './perform-ingest.ts';
import { startTicks } from './ticks.ts';

export interface IngestJobs {
  /** Stops the ingests under way and hands them to other servers; takes at most 18 seconds, even when Redis is away. */
  close(): Promise<void>;
}

/** An ingest that is stopped, and its note in Redis, take at most this long. */
const STOP_MS = 14_000;
const PING_MS = 1_000;
const CLOSE_MS = 3_000;
/** A server whose clock is wrong looks again after this long. */
const CLOCK_CHECK_MS = 10_000;
/** Far above the request with the longest name. */
const MAX_REQUEST_CHARACTERS = 64 * 1024;

/**
 * Puts scheduled ingests into the queue when their time has come, and takes these and the requested ones from it. Each is taken by one
 * server; that of a server which died goes to another (lock of 30 s, looked for every 10 s), where it converges.
 */
export function startIngestJobs(options: IngestJobsOptions): IngestJobs {
  const { onError, redis } = options;
  const keys = runKeys(options.prefix);
  const stop = new AbortController();
  const performing = new Set<Promise<string>>();
  const executing = new Set<Promise<Execution>>();
  const execute: IngestJobsOptions['execute'] = (request, whatFor) => {
    const execution = options.execute(request, whatFor).finally(() => executing.delete(execution));
    executing.add(execution);
    return execution;
  };
  let clockTimer: NodeJS.Timeout | undefined;
  const take = async (job: Job, token: string | undefined, lost: AbortSignal | undefined) => {
    const signal = AbortSignal.any([stop.signal, ...(lost === undefined ? [] : [lost])]);
    try {
      await assertClock(options);
    } catch (error) {
      onError(messageOf(error));
      pauseUntilClockIsRight();
      return toWait(job, token);
    }
    return performIngest(job, token, { ...options, execute, keys, signal });
  };
  const worker = new BoundedWorker({
    name: keys.ingestQueueName,
    process: (job, token, lost) => {
      const performed = take(job, token, lost).finally(() => performing.delete(performed));
      performing.add(performed);
      return performed;
    },
    maxDataCharacters: MAX_REQUEST_CHARACTERS,
    settings: {
      connection: options.connection,
      prefix: options.prefix,
      concurrency: options.concurrency ?? 1,
      lockDuration: 30_000,
      stalledInterval: 10_000,
      maxStalledCount: 20,
      drainDelay: 5,
    },
  });
  worker.on('error', (error) => onError(error.message));
  worker.on('lockRenewalFailed', (jobIds: string[]) => {
    for (const id of jobIds) worker.cancelJob(id, 'lock lost');
  });
  const ticks = startTicks({
    ...options,
    serves: options.serves ?? (() => true),
    now: () => redisNow(options),
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
  const close = async () => {
    clearInterval(clockTimer);
    void worker.pause(true);
    stop.abort(new Error('the server stops'));
    const done = endsWithin(STOP_MS, Promise.all([ticks.close(), Promise.allSettled(performing)]));
    // A Redis that is away is not waited for: what was under way goes to another server when its lock has expired.
    const isThere = await endsWithin(PING_MS, redis.ping());
    if (isThere) await done;
    else await endsWithin(STOP_MS, Promise.allSettled(executing));
    await endsWithin(CLOSE_MS, worker.close(!isThere));
  };
  let closing: Promise<void> | null = null;
  return { close: () => (closing ??= close()) };
}

/** True when it comes to a good end in time. */
async function endsWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const succeeded = promise.then(
    () => true,
    () => false,
  );
  const late = delay(ms, false, { signal: timer.signal }).catch(() => false);
  const isInTime = await Promise.race([succeeded, late]);
  timer.abort();
  return isInTime;
}

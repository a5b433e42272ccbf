import { Queue } from 'bullmq';
import type { RedisConnection } from '../redis/connection.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
import { safeText } from '../safe-text.ts';
import { messageOf } from '../errors.ts';
import { runKeys } from '../run/run-keys.ts';
import { adoptJobSchedulers } from './adopt-job-schedulers.ts';
import { nextFireTimes } from './cron.ts';
import { INGEST_JOB_OPTIONS, scheduledRequest, tickJobId } from './ingest-queue.ts';
import { dueTick, type ScheduleRecord } from './schedule-record.ts';
import { ScheduleStore } from './schedule-store.ts';

export interface TicksOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** False for a pipeline that this server does not know: its own servers make its ingests. */
  readonly serves: (pipeline: string) => boolean;
  /** The clock of Redis in milliseconds since the epoch. */
  readonly now: () => Promise<number>;
  /** Told of trouble, for the log. */
  readonly onError: (message: string) => void;
  /** Longest time between two looks. Defaults to 5,000. */
  readonly lookEveryMs?: number | undefined;
  /** Defaults to none. */
  readonly signingKeys?: SigningKeys | null | undefined;
}

/** A job that is there already is asked for again only after this long: it may have gone with Redis' data. */
const ASK_AGAIN_MS = 60_000;

/**
 * Puts an ingest into the queue when the time of a schedule has come. Every server does so for the pipelines that it knows: the
 * job of a time has the same id everywhere, and the time counts as served only when the ingest has ended.
 */
export function startTicks(options: TicksOptions): { close(): Promise<void> } {
  const { redis, prefix, now, onError, lookEveryMs = 5_000, signingKeys = null } = options;
  const store = new ScheduleStore(redis, prefix, signingKeys);
  const tellRefused = refusedOnce(onError);
  const queue = new Queue(runKeys(prefix).ingestQueueName, { connection: redis, prefix });
  // Without a listener an 'error' event would end the process; the connection reports its own trouble.
  queue.on('error', () => undefined);
  const asked = new Map<string, { readonly tickMs: number; readonly atMs: number }>();
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const add = async (pipeline: string, { overlap }: ScheduleRecord, tickMs: number, nowMs: number) => {
    const before = asked.get(pipeline);
    if (before?.tickMs === tickMs && Math.abs(nowMs - before.atMs) < ASK_AGAIN_MS) return;
    const jobId = tickJobId(pipeline, tickMs);
    // One that failed did so for want of Redis, before it could note how the ingest ended.
    const job = await queue.getJob(jobId);
    if (job !== undefined && (await job.isFailed())) await job.remove();
    await queue.add('ingest', scheduledRequest(pipeline, overlap), { ...INGEST_JOB_OPTIONS, jobId });
    asked.set(pipeline, { tickMs, atMs: nowMs });
  };
  /** @returns milliseconds until the next look */
  const look = async () => {
    const schedulers = await adoptJobSchedulers({ queue, store, refuseAll: signingKeys !== null });
    const nowMs = await now();
    const { records, served, refused } = await store.read();
    tellRefused([...schedulers, ...refused]);
    let waitMs = lookEveryMs;
    for (const [pipeline, record] of records) {
      if (!options.serves(pipeline)) continue;
      const tickMs = dueTick(record, served.get(pipeline) ?? null, nowMs);
      if (tickMs !== null) await add(pipeline, record, tickMs, nowMs);
      const [next] = nextFireTimes(record, 1, nowMs);
      if (next !== undefined) waitMs = Math.min(waitMs, next.getTime() - nowMs);
    }
    return Math.max(waitMs, 1);
  };
  let looking: Promise<void> = Promise.resolve();
  const lookOnce = async () => {
    let waitMs = lookEveryMs;
    try {
      waitMs = await look();
    } catch (error) {
      if (!closed) onError(messageOf(error));
    }
    if (!closed) timer = setTimeout(run, waitMs);
  };
  const run = () => {
    looking = lookOnce();
  };
  run();
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await looking;
      await queue.close();
    },
  };
}

/** Names that are remembered, so that each is told once. */
const MAX_TOLD = 1_000;

function refusedOnce(tell: (message: string) => void): (names: readonly string[]) => void {
  const told = new Set<string>();
  return (names) => {
    for (const name of names) {
      if (told.has(name) || told.size >= MAX_TOLD) continue;
      told.add(name);
      tell(
        `Refused the schedule ${JSON.stringify(safeText(name.slice(0, 200)))}: it was not set by embedline, or not with the key of ` +
          `this server. It is never run. embedline schedule list shows all of them.`,
      );
    }
  };
}

import { randomUUID } from 'node:crypto';
import { Queue, type JobSchedulerJson } from 'bullmq';
import type { RedisConnection } from '../redis/connection.ts';
import { z } from 'zod';
import { parseStored } from '../redis/stored-value.ts';
import { redisFailure } from '../run/redis-failure.ts';
import { runKeys, type RunKeys } from '../run/run-keys.ts';
import { assertCron, nextFireTimes, type Cron } from './cron.ts';
import {
  ingestRequestSchema,
  ingestResultSchema,
  overlapSchema,
  type IngestRequest,
  type IngestRequestOptions,
  type IngestResult,
  type Overlap,
} from './ingest-request.ts';

export interface Schedule extends Cron {
  readonly pipeline: string;
  readonly overlap: Overlap;
}

/** A schedule as it stands in Redis. */
export interface ListedSchedule extends Schedule {
  /** The next three times. */
  readonly next: readonly Date[];
  /** Null before its first. */
  readonly lastResult: IngestResult | null;
}

export interface SchedulesOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Milliseconds since the epoch. Defaults to Date.now. */
  readonly now?: () => number;
}

/** Finished jobs say nothing that the results do not say; failed ones are kept a week for whoever looks. */
const JOB_OPTIONS = { removeOnComplete: { count: 100 }, removeOnFail: { age: 7 * 24 * 3600, count: 1000 } };

/**
 * The schedules of pipelines (BullMQ Job Schedulers, one per pipeline, of the pipeline's name) and ingests that are
 * asked for. Only commands write them; whoever serves just takes jobs (hazards B32).
 * Every method throws REDIS_UNREACHABLE when Redis stays away.
 */
export class Schedules {
  readonly #queue: Queue;
  readonly #redis: RedisConnection;
  readonly #keys: RunKeys;
  readonly #now: () => number;

  constructor({ connection, prefix, now = Date.now }: SchedulesOptions) {
    this.#keys = runKeys(prefix);
    this.#redis = connection;
    this.#now = now;
    this.#queue = new Queue(this.#keys.ingestQueueName, { connection, prefix });
    // Without a listener an 'error' event would end the process; the connection reports its own trouble.
    this.#queue.on('error', () => undefined);
  }

  /** Sets or replaces the schedule of a pipeline. @throws EmbedlineError USAGE */
  async set(schedule: Schedule): Promise<void> {
    assertCron(schedule);
    const { pipeline, cron: pattern, timeZone: tz, overlap } = schedule;
    const data: IngestRequest = { version: 1, pipeline, kind: 'scheduled', overlap, options: {} };
    await this.#ask('Setting a schedule in Redis', () =>
      this.#queue.upsertJobScheduler(pipeline, { pattern, tz }, { name: 'ingest', data, opts: JOB_OPTIONS }),
    );
  }

  /** @returns false when there was none */
  remove(pipeline: string): Promise<boolean> {
    return this.#ask('Removing a schedule from Redis', () => this.#queue.removeJobScheduler(pipeline));
  }

  /** By pipeline. */
  async list(): Promise<ListedSchedule[]> {
    const [schedulers, results] = await this.#ask('Reading the schedules from Redis', async () => [
      await this.#queue.getJobSchedulers(0, -1, true),
      await this.#redis.hgetall(this.#keys.ingestResults),
    ]);
    const listed = schedulers.flatMap((scheduler) => {
      const schedule = toSchedule(scheduler);
      if (schedule === null) return [];
      const next = nextFireTimes(schedule, 3, this.#now());
      const lastResult = parseStored(results[schedule.pipeline], ingestResultSchema);
      return [{ ...schedule, next, lastResult }];
    });
    return listed.sort((a, b) => (a.pipeline < b.pipeline ? -1 : 1));
  }

  /** Asks whoever serves for an ingest. @returns the id of the request */
  async request(pipeline: string, options: IngestRequestOptions): Promise<string> {
    const data: IngestRequest = { version: 1, pipeline, kind: 'detached', overlap: 'queue-one', options };
    const jobId = `detached-${randomUUID()}`;
    await this.#ask('Asking for an ingest in Redis', () =>
      this.#queue.add('ingest', data, { ...JOB_OPTIONS, jobId }),
    );
    return jobId;
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  async #ask<T>(doing: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (cause) {
      throw redisFailure(doing, cause);
    }
  }
}

const storedSchema = z.object({
  pipeline: ingestRequestSchema.shape.pipeline,
  pattern: z.string().max(200),
  tz: z.string().max(100),
  overlap: overlapSchema,
});

/** Null for a scheduler that is not ours, or of another version. */
function toSchedule({ key, pattern, tz, template }: JobSchedulerJson): Schedule | null {
  const request = ingestRequestSchema.safeParse(template?.data);
  const parsed = storedSchema.safeParse({
    pipeline: key,
    pattern,
    tz: tz ?? 'UTC',
    overlap: request.data?.overlap,
  });
  if (!parsed.success) return null;
  const { pipeline, pattern: cron, tz: timeZone, overlap } = parsed.data;
  const schedule = { pipeline, cron, timeZone, overlap };
  try {
    assertCron(schedule);
    return schedule;
  } catch {
    return null;
  }
}

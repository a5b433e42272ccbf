import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import type { RedisConnection } from '../redis/connection.ts';
import { redisNowMs } from '../redis/clock.ts';
import { ifAllowed } from '../redis/rights.ts';
import { parseStored } from '../redis/stored-value.ts';
import { redisFailure } from '../run/redis-failure.ts';
import { runKeys, type RunKeys } from '../run/run-keys.ts';
import { adoptJobSchedulers } from './adopt-job-schedulers.ts';
import { assertCron, nextFireTimes } from './cron.ts';
import {
  ingestResultSchema,
  REQUEST_VERSION,
  type IngestRequest,
  type IngestRequestOptions,
  type IngestResult,
} from './ingest-request.ts';
import { INGEST_JOB_OPTIONS } from './ingest-queue.ts';
import {
  replaceTimetable,
  sourceOfCommand,
  type FileSays,
  type Schedule,
  type ScheduleSource,
} from './schedule-record.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
import { signRequest } from './signed-request.ts';
import { ScheduleStore } from './schedule-store.ts';
import { listServers } from './server-registry.ts';

/** A schedule as it stands in Redis. */
export interface ListedSchedule extends Schedule {
  readonly source: ScheduleSource;
  /** Servers with a configuration file that has the pipeline; others do not run it. */
  readonly servers: number;
  /** The next three times. */
  readonly next: readonly Date[];
  /** Null before its first. */
  readonly lastResult: IngestResult | null;
}

export interface SchedulesOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Milliseconds since the epoch; for tests. Defaults to the clock of Redis. */
  readonly now?: () => number;
  /** Sign what is written, and decide what is listed. Defaults to none. */
  readonly signingKeys?: SigningKeys | null | undefined;
}

/**
 * The schedules of pipelines, and ingests that are asked for. A server makes an ingest of a schedule when its time has come.
 * Every method throws REDIS_UNREACHABLE when Redis stays away.
 */
export class Schedules {
  readonly #queue: Queue;
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #signingKeys: SigningKeys | null;
  readonly #keys: RunKeys;
  readonly #store: ScheduleStore;
  readonly #now: () => Promise<number>;

  constructor({ connection, prefix, now, signingKeys = null }: SchedulesOptions) {
    this.#signingKeys = signingKeys;
    this.#keys = runKeys(prefix);
    this.#redis = connection;
    this.#prefix = prefix;
    this.#store = new ScheduleStore(connection, prefix, signingKeys);
    this.#now = now === undefined ? () => redisNowMs(connection, this.#keys.schedules) : async () => now();
    this.#queue = new Queue(this.#keys.ingestQueueName, { connection, prefix });
    // Without a listener an 'error' event would end the process; the connection reports its own trouble.
    this.#queue.on('error', () => undefined);
  }

  /**
   * Sets or replaces the schedule of a pipeline. An ingest that is due already stays due.
   * @param file what a configuration file says: the same makes the schedule the file's, another one stands over it until
   * the file is edited; null when no file is known
   * @throws EmbedlineError USAGE; VERSION_UNSUPPORTED when a newer version has set it
   */
  async set(schedule: Schedule, file: FileSays | null = null): Promise<void> {
    assertCron(schedule);
    await this.#ask('Setting a schedule in Redis', async () => {
      await this.#adopt();
      const nowMs = await this.#now();
      await this.#store.change(schedule.pipeline, (before, servedMs) =>
        replaceTimetable(before, schedule, sourceOfCommand(schedule, file, before), servedMs, nowMs),
      );
    });
  }

  /** @returns false when there was none */
  remove(pipeline: string): Promise<boolean> {
    return this.#ask('Removing a schedule from Redis', async () => {
      await this.#adopt();
      let existed = false;
      await this.#store.change(pipeline, (before) => {
        existed = before !== null;
        return null;
      });
      return existed;
    });
  }

  /** Pipelines whose schedule a newer version of embedline has set: they are not listed, nor changed. */
  newer(): Promise<readonly string[]> {
    return this.#ask('Reading the schedules from Redis', async () => (await this.#store.read()).newer);
  }

  /** Names of schedules that no server runs, since embedline did not set them, or not with the same key. */
  refused(): Promise<readonly string[]> {
    return this.#ask('Reading the schedules from Redis', async () => {
      const schedulers = await this.#adopt();
      return [...new Set([...schedulers, ...(await this.#store.read()).refused])].sort();
    });
  }

  /** By pipeline. */
  async list(): Promise<ListedSchedule[]> {
    return this.#ask('Reading the schedules from Redis', async () => {
      await ifAllowed(this.#adopt());
      const nowMs = await this.#now();
      const { records } = await this.#store.read();
      const results = await this.#redis.hgetall(this.#keys.ingestResults);
      const servers = await listServers(this.#redis, this.#prefix, nowMs);
      const listed = [...records].map(([pipeline, { cron, timeZone, overlap, source }]) => ({
        pipeline,
        cron,
        timeZone,
        overlap,
        source,
        servers: servers.filter(({ pipelines }) => pipelines.includes(pipeline)).length,
        next: nextFireTimes({ cron, timeZone }, 3, nowMs),
        lastResult: parseStored(results[pipeline], ingestResultSchema),
      }));
      return listed.sort((a, b) => (a.pipeline < b.pipeline ? -1 : 1));
    });
  }

  /** Asks whoever serves for an ingest. @returns the id of the request */
  async request(pipeline: string, options: IngestRequestOptions): Promise<string> {
    const data: IngestRequest = {
      version: REQUEST_VERSION,
      pipeline,
      kind: 'detached',
      overlap: 'queue-one',
      options: { ...options },
    };
    const jobId = `detached-${randomUUID()}`;
    const signed = signRequest(data, jobId, this.#signingKeys);
    await this.#ask('Asking for an ingest in Redis', () =>
      this.#queue.add('ingest', signed, { ...INGEST_JOB_OPTIONS, jobId }),
    );
    return jobId;
  }

  #adopt(): Promise<string[]> {
    const refuseAll = this.#signingKeys !== null;
    return adoptJobSchedulers({ queue: this.#queue, store: this.#store, refuseAll });
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

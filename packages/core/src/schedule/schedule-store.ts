import type { RedisConnection } from '../redis/connection.ts';
import { z } from 'zod';
import { assertNotNewer } from '../format-version.ts';
import { newerVersionOfStored, parseStored } from '../redis/stored-value.ts';
import { runKeys, type RunKeys } from '../run/run-keys.ts';
import { runScript, script } from '../run/run-scripts.ts';
import { isSigned, withoutSignature, withSignature } from '../signing/signed-value.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
import { storedTimeMs } from '../stored-numbers.ts';
import { ingestRequestSchema } from './ingest-request.ts';
import {
  MOST_AHEAD_MS,
  SCHEDULE_VERSION,
  scheduleRecordSchema,
  type ScheduleRecord,
} from './schedule-record.ts';

/** Sets, or with an empty text removes, the value of a field that is what the caller read, or is absent as it was then. */
const REPLACE = script(`
local found = redis.call('HGET', KEYS[1], ARGV[1])
if found == false then found = '' end
if found ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1`);

const SERVED = script(`
local found = tonumber(redis.call('HGET', KEYS[1], ARGV[1]))
if found and found >= tonumber(ARGV[2]) and found <= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`);

/** Everything that is known of schedules, by pipeline. */
export interface ScheduleSnapshot {
  readonly records: ReadonlyMap<string, ScheduleRecord>;
  /** When the last scheduled ingest that has ended was due. */
  readonly served: ReadonlyMap<string, number>;
}

/** What stands in Redis. */
export interface StoredSchedules extends ScheduleSnapshot {
  /** Pipelines whose schedule a newer program has set: it is left to its servers. */
  readonly newer: readonly string[];
  /** Pipelines whose schedule is unsigned although there is a key, or signed although there is none. They never run here. */
  readonly refused: readonly string[];
}

const pipelineSchema = ingestRequestSchema.shape.pipeline;
const timeSchema = z.coerce.number().pipe(storedTimeMs);

/** The schedules in Redis. What is damaged there is as good as absent; what a newer program wrote is left as it is. */
export class ScheduleStore {
  readonly #redis: RedisConnection;
  readonly #keys: RunKeys;
  readonly #signingKeys: SigningKeys | null;

  /** @param signingKeys sign what is written, and decide what is read; null for none */
  constructor(redis: RedisConnection, prefix: string, signingKeys: SigningKeys | null = null) {
    this.#signingKeys = signingKeys;
    this.#redis = redis;
    this.#keys = runKeys(prefix);
  }

  async read(): Promise<StoredSchedules> {
    const [records, served] = await Promise.all([
      this.#redis.hgetall(this.#keys.schedules),
      this.#redis.hgetall(this.#keys.servedTicks),
    ]);
    return {
      records: parseFields(records, (text, pipeline) => this.#parse(text, pipeline)),
      served: parseFields(served, (text) => timeSchema.safeParse(text).data ?? null),
      refused: [
        ...parseFields(records, (text, pipeline) => (this.#isRefused(text, pipeline) ? true : null)).keys(),
      ],
      newer: [...parseFields(records, (text) => newerVersionOfStored(text, SCHEDULE_VERSION)).keys()],
    };
  }

  /**
   * Changes the record of a pipeline, whoever else does so at the same time.
   * @param change what becomes of it: null removes it, undefined leaves it as it is
   * @returns what is there now
   * @throws EmbedlineError VERSION_UNSUPPORTED when a newer program has set it
   */
  async change(
    pipeline: string,
    change: (before: ScheduleRecord | null, servedMs: number | null) => ScheduleRecord | null | undefined,
  ): Promise<ScheduleRecord | null> {
    for (;;) {
      const text = (await this.#redis.hget(this.#keys.schedules, pipeline)) ?? '';
      assertNotNewer(`The schedule of ${pipeline}`, parseStored(text, z.unknown()), SCHEDULE_VERSION);
      const before = this.#parse(text, pipeline);
      const served = timeSchema.safeParse(await this.#redis.hget(this.#keys.servedTicks, pipeline));
      const after = change(before, served.data ?? null);
      if (after === undefined) return before;
      const next = after === null ? '' : this.#encode(after, pipeline);
      if ((await runScript(this.#redis, REPLACE, [this.#keys.schedules], [pipeline, text, next])) === 1)
        return after;
    }
  }

  /** Signs the pipeline too, so that a schedule cannot be copied to another pipeline. */
  #encode(record: ScheduleRecord, pipeline: string): string {
    const signed = withSignature('schedule', { pipeline, ...withoutSignature(record) }, this.#signingKeys);
    const { pipeline: _pipeline, ...stored } = signed;
    return JSON.stringify(stored);
  }

  #parse(text: string, pipeline: string): ScheduleRecord | null {
    return this.#isRefused(text, pipeline) ? null : parseStored(text, scheduleRecordSchema);
  }

  #isRefused(text: string, pipeline: string): boolean {
    const value = parseStored(text, z.looseObject({}));
    return value !== null && !isSigned('schedule', { pipeline, ...value }, this.#signingKeys);
  }

  /** Notes that the ingest which was due then has ended; an earlier time changes nothing. */
  async markServed(pipeline: string, tickMs: number, nowMs: number): Promise<void> {
    await runScript(
      this.#redis,
      SERVED,
      [this.#keys.servedTicks],
      [pipeline, tickMs, Math.ceil(nowMs) + MOST_AHEAD_MS],
    );
  }

  async servedTick(pipeline: string): Promise<number | null> {
    return timeSchema.safeParse(await this.#redis.hget(this.#keys.servedTicks, pipeline)).data ?? null;
  }

  /** False when no server has kept schedules here, or Redis has lost its data since. */
  async isKept(): Promise<boolean> {
    return (await this.#redis.exists(this.#keys.schedulesKept)) === 1;
  }

  async markKept(): Promise<void> {
    await this.#redis.set(this.#keys.schedulesKept, '1');
  }
}

function parseFields<T>(
  fields: Readonly<Record<string, string>>,
  parse: (text: string, pipeline: string) => T | null,
): Map<string, T> {
  return new Map(
    Object.entries(fields).flatMap(([pipeline, text]) => {
      const parsed = pipelineSchema.safeParse(pipeline).success ? parse(text, pipeline) : null;
      return parsed === null ? [] : [[pipeline, parsed] as const];
    }),
  );
}

import type { Redis } from 'ioredis';
import type { z } from 'zod';
import type { DeadLetter } from '../document.ts';
import { EmbedlineError } from '../errors.ts';
import { runKeys, type RunKeys } from './run-keys.ts';
import { decodeRun, runSpecSchema } from './run-record.ts';
import { ADD_DEAD_LETTERS, COMPLETE_BATCH, END_RUN, runScript, UPDATE_RUN } from './run-scripts.ts';
import type { BatchResult, ProducerCounts, RunProgress, RunSpec, RunStage, RunState } from './run.ts';

export interface RunLedgerOptions {
  readonly redis: Redis;
  readonly prefix: string;
}

export interface CompletedBatch {
  readonly runId: string;
  readonly batchIndex: number;
  readonly workerId: string;
  readonly result: BatchResult;
  readonly deadLetters: readonly DeadLetter[];
}

/** Details are kept of so many dead letters of a run; the count is exact beyond. */
export const MAX_DEAD_LETTERS_KEPT = 10_000;
/** An ended run is remembered for 30 days, and only the last 100 are listed. */
const RETENTION_SECONDS = 30 * 24 * 3600;
const MAX_RUNS_LISTED = 100;

/**
 * The record of each run in Redis: what it is, how far it is, what was given up on. Counters of the workers change in
 * one script only, keyed by batch, so that a batch delivered five times counts once (hazards P1). A run whose record
 * is missing is lost, never complete.
 */
export class RunLedger {
  readonly #redis: Redis;
  readonly #keys: RunKeys;

  constructor({ redis, prefix }: RunLedgerOptions) {
    this.#redis = redis;
    this.#keys = runKeys(prefix);
  }

  /** Writes the record of a new run, in state `running`, stage `reading`; its start is the clock of Redis. */
  async create(spec: Omit<RunSpec, 'version' | 'startedAtMs'>): Promise<RunSpec> {
    const [seconds, micros] = await this.#redis.time();
    const startedAtMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    const whole: RunSpec = { version: 1, ...spec, startedAtMs };
    await this.#redis.hset(this.#keys.run(spec.runId), {
      spec: JSON.stringify(whole),
      state: 'running',
      stage: 'reading',
    });
    await this.#redis.zadd(this.#keys.runs, startedAtMs, spec.runId);
    await this.#redis.zremrangebyrank(this.#keys.runs, 0, -MAX_RUNS_LISTED - 1);
    return whole;
  }

  /** What the run is, or null when Redis does not have it. @throws RUN_LOST when the record is not readable */
  async spec(runId: string): Promise<RunSpec | null> {
    const text = await this.#redis.hget(this.#keys.run(runId), 'spec');
    if (text === null) return null;
    return parseJson(runSpecSchema, text, runId);
  }

  /** @throws RUN_LOST */
  recordProducer(runId: string, counts: ProducerCounts): Promise<void> {
    return this.#update(runId, ...Object.entries(counts).flat());
  }

  /** @throws RUN_LOST */
  setStage(runId: string, stage: RunStage): Promise<void> {
    return this.#update(runId, 'stage', stage);
  }

  /** Says, in one step, that all batches are known: only now can a run be complete. @throws RUN_LOST */
  seal(runId: string, counts: ProducerCounts): Promise<void> {
    return this.#update(runId, ...Object.entries(counts).flat(), 'sealed', 1, 'stage', 'embedding');
  }

  /** The only place where a batch is counted. @throws RUN_LOST */
  async completeBatch(batch: CompletedBatch): Promise<'counted' | 'already-counted'> {
    const { runId, result } = batch;
    const answer = await runScript(this.#redis, COMPLETE_BATCH, this.#allKeys(runId), [
      batch.batchIndex,
      batch.workerId,
      result.chunksEmbedded,
      result.tokensEmbedded,
      result.bytes,
      MAX_DEAD_LETTERS_KEPT,
      ...batch.deadLetters.flatMap((letter) => [letter.key, JSON.stringify(letter)]),
    ]);
    if (answer === -1) throw lost(runId);
    return answer === 1 ? 'counted' : 'already-counted';
  }

  async isBatchDone(runId: string, batchIndex: number): Promise<boolean> {
    return (await this.#redis.getbit(this.#keys.done(runId), batchIndex)) === 1;
  }

  /** Indexes of the batches that are not done, in order; all of them below `batchesTotal`. */
  async pendingBatches(runId: string, batchesTotal: number): Promise<number[]> {
    const bitmap = (await this.#redis.getBuffer(this.#keys.done(runId))) ?? Buffer.alloc(0);
    const isDone = (index: number) => ((bitmap[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;
    return Array.from({ length: batchesTotal }, (_, index) => index).filter((index) => isDone(index) === 0);
  }

  /** Idempotent by the letters' keys. @throws RUN_LOST */
  async addDeadLetters(runId: string, letters: readonly DeadLetter[]): Promise<void> {
    for (let start = 0; start < letters.length; start += 500) {
      const slice = letters.slice(start, start + 500);
      const answer = await runScript(
        this.#redis,
        ADD_DEAD_LETTERS,
        [this.#keys.run(runId), this.#keys.deadLetters(runId)],
        [MAX_DEAD_LETTERS_KEPT, ...slice.flatMap((letter) => [letter.key, JSON.stringify(letter)])],
      );
      if (answer === -1) throw lost(runId);
    }
  }

  /** The dead letters that are kept in detail, in no particular order. */
  async deadLetters(runId: string): Promise<DeadLetter[]> {
    const values = await this.#redis.hvals(this.#keys.deadLetters(runId));
    return values.map((value) => JSON.parse(value) as DeadLetter);
  }

  /** Ends a run; the first end wins. @throws RUN_LOST */
  async end(runId: string, state: Exclude<RunState, 'running'>, message: string | null): Promise<void> {
    const args = [state, message ?? '', RETENTION_SECONDS];
    if ((await runScript(this.#redis, END_RUN, this.#allKeys(runId), args)) === -1) throw lost(runId);
  }

  /** Everything that is known of a run now, or null when Redis does not have it. */
  async progress(runId: string): Promise<RunProgress | null> {
    const [record, byWorker, rate, time] = await Promise.all([
      this.#redis.hgetall(this.#keys.run(runId)),
      this.#redis.hgetall(this.#keys.byWorker(runId)),
      this.#redis.hgetall(this.#keys.rate(runId)),
      this.#redis.time(),
    ]);
    if (record['spec'] === undefined) return null;
    const spec = parseJson(runSpecSchema, record['spec'], runId);
    return decodeRun({ spec, record, byWorker, rate, nowSeconds: Number(time[0]) });
  }

  /** Runs, newest first. */
  async list(limit = MAX_RUNS_LISTED): Promise<RunProgress[]> {
    const ids = await this.#redis.zrevrange(this.#keys.runs, 0, limit - 1);
    const runs = await Promise.all(ids.map((id) => this.progress(id)));
    return runs.filter((run) => run !== null);
  }

  #allKeys(runId: string): string[] {
    const keys = this.#keys;
    return [
      keys.run(runId),
      keys.done(runId),
      keys.deadLetters(runId),
      keys.byWorker(runId),
      keys.rate(runId),
    ];
  }

  async #update(runId: string, ...fields: (string | number)[]): Promise<void> {
    if ((await runScript(this.#redis, UPDATE_RUN, [this.#keys.run(runId)], fields)) === -1) throw lost(runId);
  }
}

/** True when every batch of a sealed run is done. A queue that is empty says nothing (hazards 0.8). */
export function isComplete(run: RunProgress): boolean {
  return run.sealed && run.workers.batchesDone >= run.producer.batchesTotal;
}

function lost(runId: string): EmbedlineError {
  return new EmbedlineError(
    'RUN_LOST',
    `Redis has lost run ${runId}: it was emptied, or restarted without its data. Nothing wrong was written. ` +
      `Switch on persistence (appendonly yes), then ingest again: that costs only the difference.`,
  );
}

function parseJson<T>(schema: z.ZodType<T>, text: string, runId: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new EmbedlineError(
      'RUN_LOST',
      `The record of run ${runId} in Redis is not readable by this version. Use one version everywhere, and ingest again.`,
      { cause },
    );
  }
}

import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '../redis/connection.ts';
import type { DeadLetter } from '../document.ts';
import { EmbedlineError, isEmbedlineError } from '../errors.ts';
import { decodeJob, type EmbedJob } from '../job.ts';
import { IMPATIENT, type Outage, type Patience } from '../outages.ts';
import { decodeLetter, encodeLetters, type GivenUpChunk } from './given-up.ts';
import { redisFailure, waitOutRefusals } from './redis-failure.ts';
import { runKeys, type RunKeys } from './run-keys.ts';
import { decodeRun, parseSpec } from './run-record.ts';
import {
  ADD_DEAD_LETTERS,
  COMPLETE_BATCH,
  CREATE_RUN,
  DROP_DEAD_LETTERS,
  END_RUN,
  READ_RUN,
  runScript,
  UPDATE_RUN,
  type Script,
} from './run-scripts.ts';
import type { BatchResult, ProducerCounts, RunProgress, RunSpec, RunStage, RunState } from './run.ts';

export interface RunLedgerOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** Whether calls outlast the patience of the connection. Defaults to {@link IMPATIENT}. */
  readonly patience?: Patience;
}

export interface CompletedBatch {
  readonly runId: string;
  readonly batchIndex: number;
  readonly workerId: string;
  readonly result: BatchResult;
  readonly deadLetters: readonly (DeadLetter | GivenUpChunk)[];
}

/** Details are kept of so many dead letters of a run; the count goes on beyond. */
export const MAX_DEAD_LETTERS_KEPT = 10_000;
/** A run is remembered for 30 days after the last thing that happened to it, and only the last 100 are listed. */
const RETENTION_SECONDS = 30 * 24 * 3600;
const MAX_RUNS_LISTED = 100;
const LETTERS_PER_CALL = 500;

/**
 * The record of each run in Redis: what it is, how far it is, what was given up on. Counters of the workers change in
 * one script only, keyed by batch, so that a batch delivered five times counts once (hazards P1). A run whose record
 * is missing is lost, never complete. Every write is idempotent and waits out a Redis that refuses writes, for a minute.
 * Every method throws REDIS_UNREACHABLE (retryable) when Redis stays away for longer than its connection is patient.
 */
export class RunLedger {
  readonly #redis: RedisConnection;
  readonly #keys: RunKeys;
  readonly #patience: Patience;

  constructor({ redis, prefix, patience = IMPATIENT }: RunLedgerOptions) {
    this.#redis = redis;
    this.#patience = patience;
    this.#keys = runKeys(prefix);
  }

  /** Writes the record of a new run, in state `running`, stage `reading`; its start is the clock of Redis. */
  async create(spec: Omit<RunSpec, 'version' | 'startedAtMs'>): Promise<RunSpec> {
    const { runId } = spec;
    const [seconds, micros] = await this.#read(runId, () => this.#redis.time());
    const startedAtMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    const whole: RunSpec = { version: 1, ...spec, startedAtMs };
    const keys = [...this.#keysOf(runId), this.#keys.runs, this.#keys.runningRuns];
    await this.#run(CREATE_RUN, runId, [runId, JSON.stringify(whole), startedAtMs, MAX_RUNS_LISTED], keys);
    return whole;
  }

  /** What the run is, or null when Redis does not have it. @throws RUN_LOST when the record is not readable */
  async spec(runId: string): Promise<RunSpec | null> {
    const text = await this.#read(runId, () => this.#redis.hget(this.#keys.run(runId), 'spec'));
    return text === null ? null : parseSpec(text, runId);
  }

  /** @throws RUN_LOST, RUN_SUPERSEDED when the run has ended */
  recordProducer(runId: string, counts: ProducerCounts): Promise<void> {
    return this.#update(runId, ...Object.entries(counts).flat());
  }

  /** @throws RUN_LOST, RUN_SUPERSEDED when the run has ended */
  setStage(runId: string, stage: RunStage): Promise<void> {
    return this.#update(runId, 'stage', stage);
  }

  /**
   * What the producer of the run waits for; null when it goes on.
   * @throws RUN_LOST, RUN_SUPERSEDED when the run has ended
   */
  setWaiting(runId: string, outage: Outage | null): Promise<void> {
    return this.#update(runId, 'waitingFor', outage === null ? '' : JSON.stringify(outage));
  }

  /**
   * Says, in one step, that all batches are known: only now can a run be complete.
   * @throws RUN_LOST, RUN_SUPERSEDED when the run has ended
   */
  seal(runId: string, counts: ProducerCounts): Promise<void> {
    return this.#update(runId, ...Object.entries(counts).flat(), 'sealed', 1, 'stage', 'embedding');
  }

  /**
   * The only place where a batch is counted, also one of a run that has ended in the meantime.
   * @throws RUN_LOST, JOB_INVALID when the run is sealed and has no such batch
   */
  async completeBatch(batch: CompletedBatch): Promise<'counted' | 'already-counted'> {
    const { runId, batchIndex, result } = batch;
    const answer = await this.#run(COMPLETE_BATCH, runId, [
      batchIndex,
      batch.workerId,
      result.chunksEmbedded,
      result.tokensEmbedded,
      result.bytes,
      MAX_DEAD_LETTERS_KEPT,
      ...encodeLetters(batch.deadLetters),
    ]);
    if (answer === -2) {
      throw new EmbedlineError(
        'JOB_INVALID',
        `Batch ${batchIndex} is none of run ${runId}, which is sealed with fewer. If others write to this Redis, give embedline its own.`,
      );
    }
    return answer === 1 ? 'counted' : 'already-counted';
  }

  async isBatchDone(runId: string, batchIndex: number): Promise<boolean> {
    return (await this.#read(runId, () => this.#redis.getbit(this.#keys.done(runId), batchIndex))) === 1;
  }

  /** Which of these batches are not done, in the order given. */
  async pendingBatches(runId: string, batchIndexes: readonly number[]): Promise<number[]> {
    if (batchIndexes.length === 0) return [];
    const read = () => this.#redis.getBuffer(this.#keys.done(runId));
    const bitmap = (await this.#read(runId, read)) ?? Buffer.alloc(0);
    const isDone = (index: number) => ((bitmap[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;
    return batchIndexes.filter((index) => isDone(index) === 0);
  }

  /**
   * Dead letters of the producer, the only one to call this for a run, one call at a time. One that is kept in detail
   * and comes again is not counted again. @throws RUN_LOST, RUN_SUPERSEDED when the run has ended
   */
  async addDeadLetters(runId: string, letters: readonly (DeadLetter | GivenUpChunk)[]): Promise<void> {
    for (let start = 0; start < letters.length; start += LETTERS_PER_CALL) {
      const slice = letters.slice(start, start + LETTERS_PER_CALL);
      const args = [randomUUID(), MAX_DEAD_LETTERS_KEPT, ...encodeLetters(slice)];
      if ((await this.#run(ADD_DEAD_LETTERS, runId, args)) === 0) throw superseded(runId);
    }
  }

  /** The dead letters that are kept in detail, in no particular order, but for those that embedline cannot have written. */
  async deadLetters(runId: string): Promise<DeadLetter[]> {
    const values = await this.#read(runId, () => this.#redis.hvals(this.#keys.deadLetters(runId)));
    return values.map(decodeLetter).filter((letter) => letter !== null);
  }

  /** The jobs that would try dead letters again, by the letters' keys; kept for a week. Others than embedline's are left out. */
  async retryJobs(runId: string): Promise<Map<string, EmbedJob>> {
    const jobs = await this.#read(runId, () => this.#redis.hgetall(this.#keys.retryJobs(runId)));
    const decoded = Object.entries(jobs).map(([key, text]) => [key, decodeStoredJob(text)] as const);
    return new Map(decoded.filter((entry): entry is [string, EmbedJob] => entry[1] !== null));
  }

  /** Forgets these dead letters of a run, or all. @returns how many @throws RUN_LOST */
  async dropDeadLetters(runId: string, keys: readonly string[] | 'all'): Promise<number> {
    if (keys === 'all') return Number(await this.#run(DROP_DEAD_LETTERS, runId, []));
    let dropped = 0;
    for (let start = 0; start < keys.length; start += LETTERS_PER_CALL)
      dropped += Number(
        await this.#run(DROP_DEAD_LETTERS, runId, keys.slice(start, start + LETTERS_PER_CALL)),
      );
    return dropped;
  }

  /** Ends a run; the first end wins. @throws RUN_LOST */
  async end(runId: string, state: Exclude<RunState, 'running'>, message: string | null): Promise<void> {
    const keys = [...this.#keysOf(runId), this.#keys.runningRuns];
    await this.#run(END_RUN, runId, [state, message ?? '', runId], keys);
  }

  /** The runs that have not ended, oldest first, as Redis lists them; one whose producer died is among them. */
  async runningRunIds(): Promise<string[]> {
    return this.#read('', () => this.#redis.zrange(this.#keys.runningRuns, '0', '-1'));
  }

  /** Everything that is known of a run at one moment, or null when Redis does not have it. */
  async progress(runId: string): Promise<RunProgress | null> {
    const read = () => runScript(this.#redis, READ_RUN, this.#keysOf(runId), []);
    return decodeRun(runId, await this.#read(runId, read));
  }

  /** Runs, newest first, but for those whose record is not readable. */
  async list(limit = MAX_RUNS_LISTED): Promise<RunProgress[]> {
    const ids = await this.#read('', () => this.#redis.zrevrange(this.#keys.runs, 0, limit - 1));
    const runs = await Promise.all(ids.map((id) => this.progress(id).catch(nullIfUnreadable)));
    return runs.filter((run) => run !== null);
  }

  /** In the order of the scripts' KEYS. */
  #keysOf(runId: string): string[] {
    const keys = this.#keys;
    return [
      keys.run(runId),
      keys.done(runId),
      keys.deadLetters(runId),
      keys.byWorker(runId),
      keys.rate(runId),
      keys.retryJobs(runId),
    ];
  }

  async #update(runId: string, ...fields: (string | number)[]): Promise<void> {
    if ((await this.#run(UPDATE_RUN, runId, fields)) === 0) throw superseded(runId);
  }

  async #run(
    script: Script,
    runId: string,
    args: readonly (string | number)[],
    keys = this.#keysOf(runId),
  ): Promise<unknown> {
    const write = () => runScript(this.#redis, script, keys, [RETENTION_SECONDS, ...args]);
    const answer = await this.#patience.waitOut(() =>
      waitOutRefusals(write).catch((cause: unknown) => {
        throw redisFailure(`Writing the record of run ${runId} to Redis`, cause);
      }),
    );
    if (answer === -1) throw lost(runId);
    return answer;
  }

  async #read<T>(runId: string, read: () => Promise<T>): Promise<T> {
    const doing = runId === '' ? 'Reading runs from Redis' : `Reading run ${runId} from Redis`;
    return this.#patience.waitOut(() =>
      read().catch((cause: unknown) => {
        throw redisFailure(doing, cause);
      }),
    );
  }
}

function nullIfUnreadable(error: unknown): null {
  if (isEmbedlineError(error, 'RUN_LOST')) return null;
  throw error;
}

function decodeStoredJob(text: string): EmbedJob | null {
  try {
    return decodeJob(JSON.parse(text));
  } catch {
    return null;
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

function superseded(runId: string): EmbedlineError {
  return new EmbedlineError(
    'RUN_SUPERSEDED',
    `Run ${runId} was ended by another process, which took it for dead. Ingest again: that costs only the difference.`,
  );
}

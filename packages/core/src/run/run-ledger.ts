import { randomUUID } from 'node:crypto';
import { redisNowMs } from '../redis/clock.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { DeadLetter } from '../document.ts';
import type { EmbedlineError } from '../errors.ts';
import { FORMAT_VERSION } from '../format-version.ts';
import type { EmbedJob } from '../job.ts';
import { withSignature } from '../signing/signed-value.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
import { IMPATIENT, type Outage, type Patience } from '../outages.ts';
import { readActedSpec } from './acted-spec.ts';
import { withoutBit } from './done-bitmap.ts';
import { decodeLetters, decodeRetryJobs, encodeLetters, type GivenUpChunk } from './given-up.ts';
import { redisFailure, waitOutRefusals } from './redis-failure.ts';
import { noSuchBatch, runCancelled, runLost, runSuperseded } from './run-errors.ts';
import { RunIndex } from './run-index.ts';
import type { CompletedBatch, RunLedgerOptions } from './run-ledger-options.ts';
import { runKeys, type RunKeys } from './run-keys.ts';
import { RunRetention } from './run-retention.ts';
import { decodeRun } from './run-record.ts';
import {
  ADD_DEAD_LETTERS,
  COMPLETE_BATCH,
  CREATE_RUN,
  DROP_DEAD_LETTERS,
  END_RUN,
  NOTE_REFUSED_JOB,
  READ_RUN,
  runScript,
  UPDATE_RUN,
  type Script,
} from './run-scripts.ts';
import type { EndedState, ProducerCounts, RunProgress, RunSpec, RunStage } from './run.ts';

export type { CompletedBatch, RunLedgerOptions } from './run-ledger-options.ts';

/** Details are kept of so many dead letters of a run; the count goes on beyond. */
export const MAX_DEAD_LETTERS_KEPT = 10_000;
/** A run is forgotten this long after the last thing that happened to it, at the latest; see run-retention.ts. */
const RETENTION_SECONDS = 90 * 24 * 3600;
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
  readonly #signingKeys: SigningKeys | null;
  /** Finds runs by pipeline and by state. */
  readonly index: RunIndex;
  /** Bounds what ended runs take of Redis. */
  readonly retention: RunRetention;

  constructor({ redis, prefix, patience = IMPATIENT, onUnreadable, signingKeys = null }: RunLedgerOptions) {
    this.#signingKeys = signingKeys;
    this.#redis = redis;
    this.#patience = patience;
    this.#keys = runKeys(prefix);
    const ask = <T>(question: () => Promise<T>) => this.#read('', question);
    this.retention = new RunRetention({ redis, keys: this.#keys, ask });
    this.index = new RunIndex({
      redis,
      keys: this.#keys,
      progress: (runId) => this.progress(runId),
      ask,
      onUnreadable,
    });
  }

  /** Writes the record of a new run in state `running`, and makes room for it among the ended runs of its pipeline. */
  async create(spec: Omit<RunSpec, 'version' | 'startedAtMs'>): Promise<RunSpec> {
    const { runId } = spec;
    const startedAtMs = await this.#read(runId, () => redisNowMs(this.#redis, this.#keys.runs));
    // A run that is made of another one, which may be of an older format, is of this one.
    const whole: RunSpec = { ...spec, version: FORMAT_VERSION, startedAtMs };
    const { pipeline } = spec;
    const signed = withSignature('run', whole, this.#signingKeys);
    const keys = [...this.#keysOf(runId), this.#keys.runsOf(pipeline), this.#keys.pipelines];
    await this.#run(CREATE_RUN, runId, [runId, JSON.stringify(signed), startedAtMs, pipeline], keys);
    // What is kept too long costs memory, and is no reason to fail a run: the next one tries again.
    await this.retention.apply(pipeline).catch(() => undefined);
    return signed;
  }

  /**
   * What the run is, to be acted on; null when Redis does not have it.
   * @throws RUN_INVALID, VERSION_UNSUPPORTED when the record is not readable; SIGNATURE_REFUSED
   */
  async spec(runId: string): Promise<RunSpec | null> {
    const text = await this.#read(runId, () => this.#redis.hget(this.#keys.run(runId), 'spec'));
    return text === null ? null : readActedSpec(text, runId, this.#signingKeys);
  }

  /** @throws RUN_LOST, RUN_SUPERSEDED or RUN_CANCELLED when the run has ended */
  recordProducer(runId: string, counts: ProducerCounts): Promise<void> {
    return this.#update(runId, ...Object.entries(counts).flat());
  }

  /** @throws RUN_LOST, RUN_SUPERSEDED or RUN_CANCELLED when the run has ended */
  setStage(runId: string, stage: RunStage): Promise<void> {
    return this.#update(runId, 'stage', stage);
  }

  /**
   * What the producer of the run waits for; null when it goes on.
   * @throws RUN_LOST, RUN_SUPERSEDED or RUN_CANCELLED when the run has ended
   */
  setWaiting(runId: string, outage: Outage | null): Promise<void> {
    return this.#update(runId, 'waitingFor', outage === null ? '' : JSON.stringify(outage));
  }

  /**
   * Says, in one step, that all batches are known: only now can a run be complete.
   * @throws RUN_LOST, RUN_SUPERSEDED or RUN_CANCELLED when the run has ended
   */
  seal(runId: string, counts: ProducerCounts): Promise<void> {
    return this.#update(runId, ...Object.entries(counts).flat(), 'sealed', 1, 'stage', 'embedding');
  }

  /**
   * The only place where a batch is counted, also one of a run that has ended in the meantime; but what failed in such a run
   * is not counted, and leaves no dead letters.
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
      result.chunksTruncated ?? 0,
      ...encodeLetters(batch.deadLetters, { runId, keys: this.#signingKeys }),
    ]);
    if (answer === -2) throw noSuchBatch(runId, batchIndex);
    return answer === 1 ? 'counted' : 'already-counted';
  }

  async isBatchDone(runId: string, batchIndex: number): Promise<boolean> {
    return (await this.#read(runId, () => this.#redis.getbit(this.#keys.done(runId), batchIndex))) === 1;
  }

  /** Which of these batches are not done, in the order given. */
  async pendingBatches(runId: string, batchIndexes: readonly number[]): Promise<number[]> {
    return this.#read(runId, () => withoutBit(this.#redis, this.#keys.done(runId), batchIndexes));
  }

  /**
   * Dead letters of the producer, the only one to call this for a run, one call at a time. One that is kept in detail
   * and comes again is not counted again. @throws RUN_LOST, RUN_SUPERSEDED or RUN_CANCELLED when the run has ended
   */
  async addDeadLetters(runId: string, letters: readonly (DeadLetter | GivenUpChunk)[]): Promise<void> {
    for (let start = 0; start < letters.length; start += LETTERS_PER_CALL) {
      const slice = letters.slice(start, start + LETTERS_PER_CALL);
      const args = [
        randomUUID(),
        MAX_DEAD_LETTERS_KEPT,
        ...encodeLetters(slice, { runId, keys: this.#signingKeys }),
      ];
      if ((await this.#run(ADD_DEAD_LETTERS, runId, args)) === 0) throw await this.#endedElsewhere(runId);
    }
  }

  /** The dead letters that are kept in detail, in no particular order, but for those that embedline cannot have written. */
  async deadLetters(runId: string): Promise<DeadLetter[]> {
    const values = await this.#read(runId, () => this.#redis.hvals(this.#keys.deadLetters(runId)));
    return decodeLetters(values, { runId, keys: this.#signingKeys });
  }

  /** The jobs that would try dead letters again, by the letters' keys; kept for a week. Others than embedline's are left out. */
  async retryJobs(runId: string): Promise<Map<string, EmbedJob>> {
    const jobs = await this.#read(runId, () => this.#redis.hgetall(this.#keys.retryJobs(runId)));
    return decodeRetryJobs(jobs, this.#signingKeys);
  }

  /**
   * Forgets these dead letters of a run, or all; with a code, also those of that code that are only counted.
   * @returns how many @throws RUN_LOST
   */
  async dropDeadLetters(runId: string, keys: readonly string[] | 'all', code?: string): Promise<number> {
    if (keys === 'all') return Number(await this.#run(DROP_DEAD_LETTERS, runId, ['']));
    let dropped = 0;
    for (let start = 0; start < keys.length; start += LETTERS_PER_CALL) {
      const slice = keys.slice(start, start + LETTERS_PER_CALL);
      dropped += Number(await this.#run(DROP_DEAD_LETTERS, runId, ['keys', ...slice]));
    }
    if (code !== undefined) dropped += Number(await this.#run(DROP_DEAD_LETTERS, runId, [code]));
    return dropped;
  }

  /** Ends a run; the first end wins. @returns whether this was it @throws RUN_LOST */
  async end(runId: string, state: EndedState, message: string | null): Promise<boolean> {
    // Version 0.1.0 does not know `cancelled`: see decodeState in run-record.ts.
    const [known, exact] = state === 'cancelled' ? (['interrupted', state] as const) : ([state, ''] as const);
    return (await this.#run(END_RUN, runId, [known, message ?? '', runId, exact])) === 1;
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

  /** The newest runs of all pipelines, newest first, but for those whose record is not readable. */
  async list(limit = 100): Promise<RunProgress[]> {
    const runs: RunProgress[] = [];
    for await (const run of this.index.newestFirst(undefined, limit)) {
      runs.push(run);
      if (runs.length === limit) break;
    }
    return runs;
  }

  /** Notes that a job of the run was dropped, since embedline did not put it there. */
  async noteRefusedJob(runId: string): Promise<void> {
    await this.#run(NOTE_REFUSED_JOB, runId, []);
  }

  /** In the order of the scripts' KEYS. */
  #keysOf(runId: string): string[] {
    const { runningRuns, runsWithDeadLetters } = this.#keys;
    return [...this.#keys.recordOf(runId), runningRuns, runsWithDeadLetters];
  }

  async #update(runId: string, ...fields: (string | number)[]): Promise<void> {
    if ((await this.#run(UPDATE_RUN, runId, fields)) === 0) throw await this.#endedElsewhere(runId);
  }

  /** @throws RUN_LOST, RUN_SUPERSEDED or RUN_CANCELLED when the run has ended */
  async assertRunning(runId: string): Promise<void> {
    const state = await this.#read(runId, () => this.#redis.hget(this.#keys.run(runId), 'state'));
    if (state === null) throw runLost(runId);
    if (state !== 'running') throw await this.#endedElsewhere(runId);
  }

  async #endedElsewhere(runId: string): Promise<EmbedlineError> {
    const run = await this.progress(runId);
    return run?.state === 'cancelled' ? runCancelled(runId) : runSuperseded(runId);
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
    if (answer === -1) throw runLost(runId);
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

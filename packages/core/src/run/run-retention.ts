import type { RedisConnection } from '../redis/connection.ts';
import { FORGET_RUN, MEASURE_RUNS } from './retention-scripts.ts';
import type { RunKeys } from './run-keys.ts';
import { runScript } from './run-scripts.ts';

export interface RunRetentionOptions {
  readonly redis: RedisConnection;
  readonly keys: RunKeys;
  /** Wraps every question to Redis: patience, and errors for people. */
  readonly ask: <T>(question: () => Promise<T>) => Promise<T>;
}

/** A run that has ended, as retention sees it. */
export interface EndedRun {
  readonly runId: string;
  readonly failed: boolean;
  readonly endedAtMs: number;
  readonly deadLetters: number;
  /** Of its dead letters and of the jobs that would try them again. */
  readonly letterBytes: number;
  /** Of everything else. */
  readonly recordBytes: number;
}

/** What is to be forgotten of the ended runs of a pipeline. */
export interface Forgetting {
  readonly runs: readonly EndedRun[];
  /** Of these the details of dead letters only; their number stays. */
  readonly letters: readonly EndedRun[];
}

/** Which runs `prune` forgets. */
export interface PruneOptions {
  readonly pipeline?: string | undefined;
  /** Only those that ended longer ago than this. */
  readonly olderThanMs: number;
  /** Newest ended runs of each pipeline that stay, however old. */
  readonly keep: number;
  /** Forget nothing. Defaults to false. */
  readonly dryRun?: boolean;
  /** Called before a run is forgotten, e.g. to drop its queue. */
  readonly onForget?: (runId: string) => Promise<void>;
}

export interface Pruned {
  readonly pipeline: string;
  readonly runId: string;
  readonly bytes: number;
}

const DAY_MS = 24 * 3600 * 1000;
/** Ended runs of a pipeline are kept for a month, so many, and so many bytes together ... */
const MAX_AGE_MS = 30 * DAY_MS;
export const MAX_ENDED_RUNS = 200;
export const MAX_ENDED_BYTES = 2 * 1024 * 1024;
/** ... but the last ones, and the last that failed or have dead letters, for as long as their records live (90 days). */
const KEPT_LONGER = 10;
const RUNS_PER_CALL = 100;
const OLD_PIPELINES_PER_CALL = 5;
const RECORDS_LIVE_MS = 91 * DAY_MS;

/** What is forgotten of the ended runs of one pipeline, newest first. Records, which are small, go before details. */
export function chooseForgetting(ended: readonly EndedRun[], nowMs: number): Forgetting {
  const [kept, runs]: [EndedRun[], EndedRun[]] = [[], []];
  let [bytes, notable] = [0, 0];
  for (const [index, run] of ended.entries()) {
    const isNotable = run.failed || run.deadLetters > 0;
    if (isNotable) notable += 1;
    const isKeptLonger = index < KEPT_LONGER || (isNotable && notable <= KEPT_LONGER);
    const isWithin =
      nowMs - run.endedAtMs <= MAX_AGE_MS &&
      index < MAX_ENDED_RUNS &&
      bytes + run.recordBytes <= MAX_ENDED_BYTES;
    if (isKeptLonger || isWithin) {
      bytes += run.recordBytes;
      kept.push(run);
    } else runs.push(run);
  }
  // Those of the last run that has any are what somebody wants to look at, or to try again.
  const letters = kept
    .filter(({ letterBytes }) => letterBytes > 0)
    .filter(({ letterBytes }, index) => (bytes += letterBytes) > MAX_ENDED_BYTES && index > 0);
  return { runs, letters };
}

/** Bounds what ended runs take of Redis. A run that has not ended is never touched. */
export class RunRetention {
  readonly #options: RunRetentionOptions;

  constructor(options: RunRetentionOptions) {
    this.#options = options;
  }

  /** Forgets what is too old, too many or too large of a pipeline's ended runs. */
  async apply(pipeline: string): Promise<void> {
    const { nowMs, ended } = await this.#measure(pipeline);
    const { runs, letters } = chooseForgetting(ended, nowMs);
    for (const { runId } of runs) await this.#forget(pipeline, runId, 'all');
    for (const { runId } of letters) await this.#forget(pipeline, runId, 'letters');
    await this.#forgetOldPipelines(nowMs);
  }

  /** Forgets runs that a person does not want to keep. @returns what was forgotten, by pipeline, newest first */
  async prune(options: PruneOptions): Promise<Pruned[]> {
    const { redis, keys, ask } = this.#options;
    const all = () => ask(() => redis.zrange(keys.pipelines, '0', '-1'));
    const pipelines = options.pipeline === undefined ? await all() : [options.pipeline];
    const pruned: Pruned[] = [];
    for (const pipeline of pipelines.toSorted()) {
      const { nowMs, ended } = await this.#measure(pipeline);
      const chosen = ended
        .slice(options.keep)
        .filter(({ endedAtMs }) => nowMs - endedAtMs >= options.olderThanMs);
      for (const run of chosen) {
        if (options.dryRun !== true) await options.onForget?.(run.runId);
        const bytes =
          options.dryRun === true
            ? run.recordBytes + run.letterBytes
            : await this.#forget(pipeline, run.runId, 'all');
        if (bytes >= 0) pruned.push({ pipeline, runId: run.runId, bytes });
      }
    }
    return pruned;
  }

  /** The ended runs of a pipeline, newest first. Entries of the lists whose record is gone are dropped. */
  async #measure(pipeline: string): Promise<{ nowMs: number; ended: EndedRun[] }> {
    const { redis, keys, ask } = this.#options;
    const ids = await ask(() => redis.zrevrange(keys.runsOf(pipeline), 0, -1));
    const ended: EndedRun[] = [];
    let nowMs = 0;
    for (let start = 0; start < Math.max(ids.length, 1); start += RUNS_PER_CALL) {
      const slice = ids.slice(start, start + RUNS_PER_CALL);
      const recordKeys = slice.flatMap((runId) => keys.recordOf(runId));
      const answer = (await ask(() => runScript(redis, MEASURE_RUNS, recordKeys, []))) as [number];
      const [clockMs, ...facts] = answer as [number, ...(string | number)[]];
      nowMs = clockMs;
      for (const [index, runId] of slice.entries()) {
        const [state, endedAtMs, deadLetters, letterBytes, recordBytes] = facts
          .slice(index * 5, index * 5 + 5)
          .map((fact, position) => (position === 0 ? fact : Number(fact))) as [
          string,
          number,
          number,
          number,
          number,
        ];
        if (state === '') await this.#forget(pipeline, runId, 'all');
        else if (state !== 'running' && endedAtMs > 0)
          ended.push({
            runId,
            failed: state !== 'done',
            endedAtMs,
            deadLetters,
            letterBytes,
            recordBytes,
          });
      }
    }
    return { nowMs, ended };
  }

  /** @returns bytes that were freed, -1 when the run has not ended */
  async #forget(pipeline: string, runId: string, what: 'all' | 'letters'): Promise<number> {
    const { redis, keys, ask } = this.#options;
    const lists = [keys.runsOf(pipeline), keys.runsWithDeadLetters, keys.runningRuns, keys.runs];
    const all = [...keys.recordOf(runId), ...lists];
    return Number(await ask(() => runScript(redis, FORGET_RUN, all, [runId, what])));
  }

  /** Of pipelines that are not ingested any more nothing else would drop the entries whose records have expired. */
  async #forgetOldPipelines(nowMs: number): Promise<void> {
    const { redis, keys, ask } = this.#options;
    const old = await ask(() =>
      redis.zrangebyscore(
        keys.pipelines,
        '-inf',
        nowMs - RECORDS_LIVE_MS,
        'LIMIT',
        0,
        OLD_PIPELINES_PER_CALL,
      ),
    );
    for (const pipeline of old) {
      await this.#measure(pipeline);
      if ((await ask(() => redis.zcard(keys.runsOf(pipeline)))) === 0)
        await ask(() => redis.zrem(keys.pipelines, pipeline));
    }
  }
}

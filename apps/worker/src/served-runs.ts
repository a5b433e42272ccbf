import {
  forgetLostRun,
  isEmbedlineError,
  messageOf,
  runKeys,
  type BatchQueue,
  type Logger,
  type Patience,
  type QueueLook,
  type RedisConnection,
  type Refusal,
  type RunLedger,
  type RunSpec,
} from '@embedline/core';
import { hasEnded } from './has-ended.ts';
import type { RunSource } from './open-runs.ts';
import type { RunQueue } from './run-queue.ts';

/** A queue from which this worker takes batches. */
export interface Lane {
  readonly queue: RunQueue;
  /** The run whose queue it is; null for the one that all runs of format 1 share. */
  readonly run: RunSpec | null;
  /** False once nothing waited there, until there is news of it. */
  mayHaveMore: boolean;
  /** Batches that this worker has taken from there and not settled. */
  underWay: number;
}

export interface ServedRunsOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly ledger: RunLedger;
  readonly runs: RunSource;
  readonly queue: Pick<BatchQueue, 'removeRun'>;
  readonly openQueue: (name: string) => RunQueue;
  readonly patience: Patience;
  readonly logger: Logger;
  /** A run that was refused is looked at again after so long, and later each time. Defaults to 30,000. */
  readonly judgeAgainMs?: number;
  /** Told of all refusals whenever they change. */
  readonly onRefusals?: (refusals: readonly Refusal[]) => void;
  /** Told that there may be batches to take. */
  readonly onNews: () => void;
}

interface KnownRun {
  readonly runId: string;
  /** Its batches are in the queue that all runs of format 1 share. */
  readonly shared: boolean;
  state: 'judged' | 'served' | 'refused';
  spec: RunSpec | null;
  lane: Lane | null;
  refusal: Refusal | null;
  /** Refusals since a batch of the run was last done. */
  refusals: number;
  judgeAtMs: number;
  readonly gone: AbortController;
}

const JUDGE_AGAIN_MS = 30_000;
const MAX_JUDGE_AGAIN_MS = 10 * 60_000;
/** Runs that are judged at a time. */
const MAX_JUDGED_AT_ONCE = 4;

/**
 * The runs that this worker works for. Every run that has not ended is judged before a batch of it is taken: one that the
 * worker cannot serve is left to others, at no cost to the run, and judged again now and then.
 */
export class ServedRuns {
  readonly #options: ServedRunsOptions;
  readonly #known = new Map<string, KnownRun>();
  readonly #closing = new Set<Promise<void>>();
  #sharedLane: Lane | null = null;
  #judging = 0;
  #closed = false;

  constructor(options: ServedRunsOptions) {
    this.#options = options;
  }

  /** Where batches may be taken, in the order in which the runs began. */
  get lanes(): readonly Lane[] {
    const own = [...this.#known.values()].flatMap(({ state, lane }) =>
      state === 'served' && lane !== null ? [lane] : [],
    );
    return this.#sharedLane !== null && this.#servesShared() ? [...own, this.#sharedLane] : own;
  }

  get queueNames(): readonly string[] {
    return this.lanes.map(({ queue }) => queue.name);
  }

  /** The specification of a run that this worker serves. */
  spec(runId: string): RunSpec | null {
    const run = this.#known.get(runId);
    return run?.state === 'served' ? run.spec : null;
  }

  /**
   * Takes note of the runs that there are now.
   * @param sharedRunIds the running runs of format 1
   */
  update(look: QueueLook, sharedRunIds: readonly string[]): void {
    for (const runId of look.runningRunIds) this.#note(runId, false);
    for (const runId of sharedRunIds) this.#note(runId, true);
    const running = new Set([...look.runningRunIds, ...sharedRunIds]);
    for (const run of this.#known.values()) if (!running.has(run.runId)) this.#end(run);
    for (const lane of this.lanes) if ((look.waiting.get(lane.queue.name) ?? 0) > 0) lane.mayHaveMore = true;
    this.#updateSharedLane(look);
    this.#judgeNext();
    this.#options.runs.retain(this.#waitingRuns());
  }

  /** Leaves a run to others, e.g. since the key of its store was revoked in the middle of the work. */
  refuse(runId: string, error: unknown): void {
    // A run of format 1 may have begun since the last look.
    const run = this.#note(runId, true);
    if (run === null) return;
    const { judgeAgainMs = JUDGE_AGAIN_MS } = this.#options;
    const code = isEmbedlineError(error) ? error.code : 'UNEXPECTED';
    const sinceMs = run.refusal?.sinceMs ?? Date.now();
    const isNews = run.refusal?.code !== code || run.refusal.reason !== messageOf(error);
    run.refusal = { runId, code, reason: messageOf(error), sinceMs };
    run.state = 'refused';
    run.judgeAtMs = Date.now() + Math.min(judgeAgainMs * 2 ** run.refusals, MAX_JUDGE_AGAIN_MS);
    run.refusals += 1;
    if (!isNews) return;
    this.#options.logger.warn({ runId, code }, `Leaves run ${runId} to others: ${messageOf(error)}`);
    this.#tellRefusals();
  }

  /** A batch of the run was done. */
  succeeded(runId: string): void {
    const run = this.#known.get(runId);
    if (run?.state === 'served') run.refusals = 0;
  }

  /** A batch of this lane was settled. */
  settled(lane: Lane): void {
    lane.underWay -= 1;
    if (lane.underWay === 0 && lane !== this.#sharedLane && !this.#isKnown(lane)) this.#closeQueue(lane);
  }

  /** After the last batch was settled. */
  async close(): Promise<void> {
    this.#closed = true;
    const lanes = [...this.#known.values()].flatMap(({ lane }) => (lane === null ? [] : [lane]));
    for (const { gone } of this.#known.values()) gone.abort(new Error('the worker stops'));
    this.#known.clear();
    for (const lane of [...lanes, ...(this.#sharedLane === null ? [] : [this.#sharedLane])])
      this.#closeQueue(lane);
    await Promise.all(this.#closing);
  }

  #note(runId: string, shared: boolean): KnownRun | null {
    if (this.#closed) return null;
    const known = this.#known.get(runId);
    if (known !== undefined) return known;
    const empty = { spec: null, lane: null, refusal: null, refusals: 0, judgeAtMs: 0 };
    const run: KnownRun = { runId, shared, state: 'refused', ...empty, gone: new AbortController() };
    this.#known.set(runId, run);
    return run;
  }

  #judgeNext(): void {
    for (const run of this.#known.values()) {
      if (this.#judging >= MAX_JUDGED_AT_ONCE) return;
      if (run.state === 'refused' && run.judgeAtMs <= Date.now()) void this.#judge(run);
    }
  }

  async #judge(run: KnownRun): Promise<void> {
    const { runs, patience, logger } = this.#options;
    const { signal } = run.gone;
    run.state = 'judged';
    this.#judging += 1;
    try {
      const spec = await patience.waitOut(() => runs.prove(run.runId, signal), signal);
      if (signal.aborted) return;
      if (run.refusal !== null) logger.info({ runId: run.runId }, `Serves run ${run.runId} after all`);
      await this.#serve(run, spec);
    } catch (error) {
      if (signal.aborted) return;
      if (isEmbedlineError(error, 'RUN_LOST')) await this.#forgetLost(run);
      else this.refuse(run.runId, error);
    } finally {
      this.#judging -= 1;
      this.#options.onNews();
    }
  }

  async #serve(run: KnownRun, spec: RunSpec): Promise<void> {
    run.spec = spec;
    if (!run.shared && run.lane === null) {
      const lane = await this.#openLane(runKeys(this.#options.prefix).queueName(run.runId), spec);
      if (run.gone.signal.aborted) return this.#closeQueue(lane);
      run.lane = lane;
    }
    if (run.lane !== null) run.lane.mayHaveMore = true;
    run.state = 'served';
    if (run.refusal === null) return;
    run.refusal = null;
    this.#tellRefusals();
  }

  async #openLane(name: string, run: RunSpec | null): Promise<Lane> {
    const queue = this.#options.openQueue(name);
    await queue.start();
    return { queue, run, mayHaveMore: true, underWay: 0 };
  }

  async #forgetLost(run: KnownRun): Promise<void> {
    const { redis, prefix, queue } = this.#options;
    this.#end(run);
    await queue.removeRun(run.runId).catch(() => undefined);
    await forgetLostRun(redis, prefix, run.runId).catch(() => undefined);
  }

  /** The queue of an ended run holds batches that nobody waits for, or at best nothing. */
  #end(run: KnownRun): void {
    this.#known.delete(run.runId);
    run.gone.abort(new Error('the run has ended'));
    if (run.refusal !== null) this.#tellRefusals();
    if (run.lane !== null && run.lane.underWay === 0) this.#closeQueue(run.lane);
  }

  #closeQueue(lane: Lane): void {
    const closing = this.#closeAndDrop(lane)
      .catch((error: unknown) => {
        this.#options.logger.warn({ err: error }, `Could not drop the queue of a run: ${messageOf(error)}`);
      })
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #closeAndDrop({ queue, run }: Lane): Promise<void> {
    const { ledger, queue: queues } = this.#options;
    await queue.close();
    if (run === null || this.#closed || !(await hasEnded(run.runId, ledger))) return;
    await queues.removeRun(run.runId);
  }

  #updateSharedLane({ sharedJobs }: QueueLook): void {
    if (sharedJobs === 0 || this.#sharedLane !== null || this.#closed) return;
    const queue = this.#options.openQueue(runKeys(this.#options.prefix).sharedQueueName);
    this.#sharedLane = { queue, run: null, mayHaveMore: true, underWay: 0 };
    queue.start().catch(() => undefined);
  }

  /** Its batches cannot be told apart before they are taken: so this worker takes them only if it can serve all. */
  #servesShared(): boolean {
    return [...this.#known.values()].every(({ shared, state }) => !shared || state === 'served');
  }

  #waitingRuns(): RunSpec[] {
    const own = this.lanes.flatMap(({ run, mayHaveMore }) => (run !== null && mayHaveMore ? [run] : []));
    const shared = [...this.#known.values()].flatMap(({ shared, spec }) =>
      shared && spec !== null ? [spec] : [],
    );
    return [...own, ...shared];
  }

  #isKnown(lane: Lane): boolean {
    return [...this.#known.values()].some((run) => run.lane === lane);
  }

  #tellRefusals(): void {
    const refusals = [...this.#known.values()].flatMap(({ refusal }) => (refusal === null ? [] : [refusal]));
    this.#options.onRefusals?.(refusals);
  }
}

/** BullMQ builds its keys as `<prefix>:<queue>:...`; ours stand beside them under the same hash tag. */
const QUEUE_NAME = 'embed';
/** The queue of ingests that are scheduled or asked for. */
export const INGEST_QUEUE_NAME = 'ingest';

/** Every Redis key of embedline. All share the prefix's hash tag, so that one script may touch several (hazards B38). */
export interface RunKeys {
  /** Of the batches of one run. */
  queueName(runId: string): string;
  /** Of the batches of all runs of format 1. */
  readonly sharedQueueName: string;
  /** Sorted set of the runs of version 0.1.0, by start (ms): it kept one list of 100 for all pipelines. Only read. */
  readonly runs: string;
  /** Sorted set of the runs that have not ended, by start (ms). */
  readonly runningRuns: string;
  /** Sorted set of the runs that have dead letters, by start (ms). */
  readonly runsWithDeadLetters: string;
  /** Sorted set of the runs of a pipeline, by start (ms). */
  runsOf(pipeline: string): string;
  /** Sorted set of the pipelines that have runs, by the start (ms) of the last one. */
  readonly pipelines: string;
  /** The keys of a run, in the order in which scripts take them: those of the next six. */
  recordOf(runId: string): string[];
  /** Hash: specification, state, counters. */
  run(runId: string): string;
  /** Bitmap: one bit per finished batch. */
  done(runId: string): string;
  /** Hash: dead letter by key, JSON. */
  deadLetters(runId: string): string;
  /** Hash: the job that would try a dead letter's chunk again, by the letter's key, JSON. Kept for a week. */
  retryJobs(runId: string): string;
  /** Hash: `<workerId>:batches` and `<workerId>:chunks`. */
  byWorker(runId: string): string;
  /** Hash: chunks embedded per ten seconds. */
  rate(runId: string): string;
  /** String: the owner of a lock, JSON. */
  lock(scope: string): string;
  /** String: who had the lock last, JSON. */
  lastLockOwner(scope: string): string;
  /** String: the sequence that was given out last. */
  readonly sequence: string;
  /** String with a time to live: one connected worker, JSON. */
  worker(workerId: string): string;
  /** Sorted set of worker ids by last sign of life (ms). */
  readonly workers: string;
  readonly ingestQueueName: string;
  /** Hash: how the last requested or scheduled ingest of a pipeline ended, JSON. */
  readonly ingestResults: string;
  /** Hash: the schedule of a pipeline, JSON. */
  readonly schedules: string;
  /** Hash: when the last scheduled ingest of a pipeline that has ended was due (ms). */
  readonly servedTicks: string;
  /** String: there since a server first kept schedules here; gone when Redis has lost its data. */
  readonly schedulesKept: string;
  /** Hash: what a server serves and when it was last seen, by its id, JSON. */
  readonly servers: string;
  /** String with a time to live: the request of a pipeline that waits for another ingest to end. */
  waitingIngest(pipeline: string): string;
}

export function runKeys(prefix: string): RunKeys {
  const run = (runId: string, part = '') => `${prefix}:run:${runId}${part}`;
  return {
    queueName: (runId) => `${QUEUE_NAME}-${runId}`,
    sharedQueueName: QUEUE_NAME,
    runs: `${prefix}:runs`,
    runningRuns: `${prefix}:runs:running`,
    runsWithDeadLetters: `${prefix}:runs:with-dead-letters`,
    runsOf: (pipeline) => `${prefix}:runs:of:${pipeline}`,
    pipelines: `${prefix}:pipelines`,
    recordOf: (runId) =>
      ['', ':done', ':dead', ':workers', ':rate', ':retry'].map((part) => run(runId, part)),
    run: (runId) => run(runId),
    done: (runId) => run(runId, ':done'),
    deadLetters: (runId) => run(runId, ':dead'),
    retryJobs: (runId) => run(runId, ':retry'),
    byWorker: (runId) => run(runId, ':workers'),
    rate: (runId) => run(runId, ':rate'),
    lock: (scope) => `${prefix}:lock:${scope}`,
    lastLockOwner: (scope) => `${prefix}:last-lock-owner:${scope}`,
    sequence: `${prefix}:sequence`,
    worker: (workerId) => `${prefix}:worker:${workerId}`,
    workers: `${prefix}:workers`,
    ingestQueueName: INGEST_QUEUE_NAME,
    ingestResults: `${prefix}:ingest-results`,
    schedules: `${prefix}:schedules`,
    servedTicks: `${prefix}:served-ticks`,
    schedulesKept: `${prefix}:schedules-kept`,
    servers: `${prefix}:servers`,
    waitingIngest: (pipeline) => `${prefix}:waiting-ingest:${pipeline}`,
  };
}

import type { RedisConnection } from '../redis/connection.ts';
import { runKeys } from './run-keys.ts';

/** What a worker has to know to take batches, at one moment. */
export interface QueueLook {
  /** The runs that have not ended, oldest first. */
  readonly runningRunIds: readonly string[];
  /** Workers that showed a sign of life within the last 15 seconds. */
  readonly workers: number;
  /** Batches that nobody has taken, by queue: those that wait, and those that are to be tried again later. */
  readonly waiting: ReadonlyMap<string, number>;
  /** Jobs of any kind in the queue that all runs of format 1 share. */
  readonly sharedJobs: number;
}

const WORKER_TTL_MS = 15_000;

/** One round trip, whose answers take Redis a few microseconds for each queue. */
export async function lookAtQueues(
  redis: RedisConnection,
  prefix: string,
  queueNames: readonly string[],
): Promise<QueueLook> {
  const keys = runKeys(prefix);
  const counts = (name: string) => [
    ['llen', `${prefix}:${name}:wait`],
    ['zcard', `${prefix}:${name}:delayed`],
  ];
  const answers = await redis
    .pipeline([
      ['zrange', keys.runningRuns, '0', '-1'],
      ['zcount', keys.workers, String(Date.now() - WORKER_TTL_MS), '+inf'],
      ['llen', `${prefix}:${keys.sharedQueueName}:active`],
      ...counts(keys.sharedQueueName),
      ...queueNames.flatMap(counts),
    ])
    .exec();
  const values = (answers ?? []).map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  });
  const [ids, workers, active, ...rest] = values;
  const count = (position: number) => Number(rest[position] ?? 0) + Number(rest[position + 1] ?? 0);
  const waiting = new Map(queueNames.map((name, index) => [name, count(2 + 2 * index)]));
  return {
    runningRunIds: (ids as string[] | undefined) ?? [],
    workers: Number(workers ?? 0),
    waiting: waiting.set(keys.sharedQueueName, count(0)),
    sharedJobs: Number(active ?? 0) + count(0),
  };
}

import { countWorkers, type BatchQueue, type RedisConnection } from '@embedline/core';

export interface PrefetchOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly queue: Pick<BatchQueue, 'waitingCount'>;
  /** What takes batches; a change takes effect when it next looks for one. */
  readonly worker: { concurrency: number };
  /** Inference processes of this worker. */
  readonly processes: number;
}

const LOOK_EVERY_MS = 500;

/**
 * Batches that a worker has under way at once. While many wait, the next ones are taken before the last are done: they
 * are tokenised meanwhile, pooled into micro-batches of equal length, and upserts overlap. When the queue runs dry, a
 * batch that is taken early is one that an idle worker does not get.
 */
export function batchesAtOnce(waiting: number, workers: number, processes: number): number {
  return waiting > workers * processes ? 2 * processes + 1 : processes;
}

/** Keeps the number of batches that a worker takes at once in step with how many wait for how many workers. */
export function adaptPrefetch(options: PrefetchOptions): { close(): void } {
  const { redis, prefix, queue, worker, processes } = options;
  const look = async () => {
    const [waiting, workers] = await Promise.all([queue.waitingCount(), countWorkers(redis, prefix)]);
    worker.concurrency = batchesAtOnce(waiting, Math.max(workers, 1), processes);
  };
  // A look that fails is not an error of its own: the connection reports its trouble, and the next one follows.
  const timer = setInterval(() => void look().catch(() => undefined), LOOK_EVERY_MS);
  return { close: () => clearInterval(timer) };
}

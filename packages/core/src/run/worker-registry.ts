import { hostname } from 'node:os';
import type { RedisConnection } from '../redis/connection.ts';
import { z } from 'zod';
import { parseStored } from '../redis/stored-value.ts';
import { VERSION } from '../version.ts';
import { runKeys } from './run-keys.ts';

const workerSchema = z.object({
  workerId: z.string().max(300),
  host: z.string().max(255),
  pid: z.int(),
  concurrency: z.int().min(0).max(10_000),
  /** Of embedline. */
  version: z.string().max(50).default('unknown'),
  sinceMs: z.number(),
  waitingFor: z.string().max(5_000).nullable(),
  waitingSinceMs: z.number().nullable(),
});

/** A worker that showed a sign of life within the last 15 seconds. */
export type ConnectedWorker = z.infer<typeof workerSchema>;

export interface WorkerPresence {
  /** What the worker is held up by, e.g. a Qdrant that does not answer; null when it works. */
  setWaiting(reason: string | null): void;
  close(): Promise<void>;
}

export interface AnnounceOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly workerId: string;
  /** Inference processes. */
  readonly concurrency: number;
}

/** So many are looked at; a fleet is smaller. */
const MAX_LISTED = 10_000;
const TTL_MS = 15_000;
const RENEW_MS = 5_000;

/** Makes a worker known until it closes; one that dies is forgotten after 15 seconds. */
export async function announceWorker(options: AnnounceOptions): Promise<WorkerPresence> {
  const { redis, workerId } = options;
  const keys = runKeys(options.prefix);
  let state: ConnectedWorker = {
    workerId,
    host: hostname(),
    pid: process.pid,
    concurrency: options.concurrency,
    version: VERSION,
    sinceMs: Date.now(),
    waitingFor: null,
    waitingSinceMs: null,
  };
  const write = async () => {
    await redis.set(keys.worker(workerId), JSON.stringify(state), 'PX', TTL_MS);
    await redis.zadd(keys.workers, Date.now(), workerId);
  };
  await write();
  // A heartbeat that fails is not an error of its own: the connection reports its trouble, and the next one follows.
  const timer = setInterval(() => void write().catch(() => undefined), RENEW_MS);
  return {
    setWaiting: (reason) => {
      if (reason === state.waitingFor) return;
      const waitingSinceMs = reason === null ? null : (state.waitingSinceMs ?? Date.now());
      state = { ...state, waitingFor: reason, waitingSinceMs };
      void write().catch(() => undefined);
    },
    close: async () => {
      clearInterval(timer);
      await redis.del(keys.worker(workerId));
      await redis.zrem(keys.workers, workerId);
    },
  };
}

/** How many workers showed a sign of life within the last 15 seconds. */
export async function countWorkers(redis: RedisConnection, prefix: string): Promise<number> {
  return redis.zcount(runKeys(prefix).workers, Date.now() - TTL_MS, '+inf');
}

export async function connectedWorkers(redis: RedisConnection, prefix: string): Promise<ConnectedWorker[]> {
  const keys = runKeys(prefix);
  await redis.zremrangebyscore(keys.workers, '-inf', String(Date.now() - 24 * 3600 * 1000));
  const ids = await redis.zrange(keys.workers, '0', String(MAX_LISTED - 1));
  if (ids.length === 0) return [];
  const values = await redis.mget(ids.map((id) => keys.worker(id)));
  return values.flatMap((value) => {
    // A worker of another version is not worth failing a `status` for.
    const worker = parseStored(value, workerSchema);
    return worker === null ? [] : [worker];
  });
}

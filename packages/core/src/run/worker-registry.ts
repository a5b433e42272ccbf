import { cutText } from '../chunking/cut-text.ts';
import { hostname } from 'node:os';
import type { RedisConnection } from '../redis/connection.ts';
import { ifAllowed } from '../redis/rights.ts';
import { z } from 'zod';
import { FORMAT_VERSION } from '../format-version.ts';
import { parseStored } from '../redis/stored-value.ts';
import { storedCount, storedTimeMs } from '../stored-numbers.ts';
import { VERSION } from '../version.ts';
import { runKeys } from './run-keys.ts';

/** Refusals that a worker tells of; it may have more. */
const MAX_REFUSALS_TOLD = 100;

const refusalSchema = z.object({
  runId: z.string().max(200),
  code: z.string().max(100),
  reason: z.string().max(2_000),
  sinceMs: storedTimeMs,
});

/** A run that a worker leaves to others, and why. */
export type Refusal = z.infer<typeof refusalSchema>;

const workerSchema = z.object({
  workerId: z.string().max(300),
  host: z.string().max(255),
  pid: storedCount,
  concurrency: z.int().min(0).max(10_000),
  /** Of embedline. */
  version: z.string().max(50).default('unknown'),
  /** The newest run records and jobs that it reads; see format-version.ts. Workers of format 1 do not say. */
  format: z.int().positive().default(1),
  sinceMs: storedTimeMs,
  waitingFor: z.string().max(5_000).nullable(),
  waitingSinceMs: storedTimeMs.nullable(),
  refusals: z.array(refusalSchema).max(MAX_REFUSALS_TOLD).default([]),
});

/** A worker that showed a sign of life within the last 15 seconds. */
export type ConnectedWorker = z.infer<typeof workerSchema>;

export interface WorkerPresence {
  /** What the worker is held up by, e.g. a Qdrant that does not answer; null when it works. */
  setWaiting(reason: string | null): void;
  /** The runs that the worker cannot serve. */
  setRefusals(refusals: readonly Refusal[]): void;
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
/** With as many refusals as are told. */
const MAX_CHARACTERS = 512 * 1024;
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
    format: FORMAT_VERSION,
    sinceMs: Date.now(),
    waitingFor: null,
    waitingSinceMs: null,
    refusals: [],
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
    setRefusals: (refusals) => {
      const told = refusals.slice(0, MAX_REFUSALS_TOLD);
      const short = told.map((refusal) => ({ ...refusal, reason: cutText(refusal.reason, 2_000) }));
      state = { ...state, refusals: short };
      void write().catch(() => undefined);
    },
    close: async () => {
      clearInterval(timer);
      await redis.del(keys.worker(workerId));
      await redis.zrem(keys.workers, workerId);
    },
  };
}

export async function connectedWorkers(redis: RedisConnection, prefix: string): Promise<ConnectedWorker[]> {
  const keys = runKeys(prefix);
  await ifAllowed(redis.zremrangebyscore(keys.workers, '-inf', String(Date.now() - 24 * 3600 * 1000)));
  const ids = await redis.zrange(keys.workers, '0', String(MAX_LISTED - 1));
  if (ids.length === 0) return [];
  const values = await redis.mget(ids.map((id) => keys.worker(id)));
  return values.flatMap((value) => {
    // A worker of another version is not worth failing a `status` for.
    const worker = parseStored(value, workerSchema, MAX_CHARACTERS);
    return worker === null ? [] : [worker];
  });
}

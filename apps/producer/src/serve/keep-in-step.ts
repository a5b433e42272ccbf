import { randomUUID } from 'node:crypto';
import {
  announceServer,
  keepSchedules,
  messageOf,
  redisNowMs,
  runKeys,
  withdrawServer,
  type Config,
  type RedisConnection,
  type SigningKeys,
} from '@embedline/core';
import { KnownSchedules } from './known-schedules.ts';
import { schedulesOf, sourceOf, type ServedFile } from './served-file.ts';

export interface KeepInStepOptions {
  readonly config: Config;
  readonly redis: RedisConnection;
  readonly file: ServedFile;
  /** Defaults to none. */
  readonly signingKeys?: SigningKeys | null | undefined;
  /** Told what was changed. */
  readonly onChange: (message: string) => void;
  /** Told of what keeps the schedules from being kept, at every try. */
  readonly onError: (message: string) => void;
  /** Defaults to 60,000. */
  readonly everyMs?: number;
}

export interface KeptInStep {
  /** Notes what this server has served, for a Redis that loses its data before the next minute. */
  noteServed(pipeline: string, tickMs: number): void;
  /** To be called when the file may have changed: does not wait for the next minute. */
  look(): void;
  close(): Promise<void>;
}

const EVERY_MS = 60_000;
const SOON_MS = 500;
/** While Redis is away, or has just come back. */
const AFTER_FAILURE_MS = 5_000;

/**
 * Keeps the schedules in Redis in step with the file of a server: at once, every minute, and soon after Redis was away.
 */
export function keepInStep(options: KeepInStepOptions): KeptInStep {
  const { config, redis, file, everyMs = EVERY_MS } = options;
  const { prefix } = config;
  const id = randomUUID();
  const known = new KnownSchedules(config);
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  const keep = async () => {
    const current = await file.reload();
    const server = { id, ...sourceOf(current), pipelines: [...current.pipelines.keys()] };
    await announceServer(redis, prefix, server, await redisNowMs(redis, runKeys(prefix).servers));
    const snapshot = await keepSchedules({
      redis,
      prefix,
      signingKeys: options.signingKeys,
      server,
      wanted: schedulesOf(current),
      known: await known.load(),
      onChange: options.onChange,
    });
    await known.save(snapshot);
  };
  const keepOnce = async () => {
    let waitMs = everyMs;
    try {
      await keep();
    } catch (error) {
      if (!closed) options.onError(`The schedules cannot be kept in step with the file: ${messageOf(error)}`);
      waitMs = AFTER_FAILURE_MS;
    }
    clearTimeout(timer);
    if (!closed) timer = setTimeout(run, waitMs);
  };
  let keeping: Promise<void> = Promise.resolve();
  const run = () => {
    keeping = keepOnce();
  };
  const soon = () => {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(run, SOON_MS);
  };
  // It may come back without its data.
  redis.on('ready', soon);
  run();
  return {
    noteServed: (pipeline, tickMs) => {
      known.noteServed(pipeline, tickMs).catch((error: unknown) => options.onError(messageOf(error)));
    },
    look: soon,
    close: async () => {
      closed = true;
      clearTimeout(timer);
      redis.off('ready', soon);
      // A Redis that is away is not waited for.
      if (redis.status !== 'ready') return;
      await keeping;
      await known.close();
      await withdrawServer(redis, prefix, id).catch(() => undefined);
    },
  };
}

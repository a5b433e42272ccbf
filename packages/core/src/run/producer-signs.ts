import { hostname } from 'node:os';
import type { RedisConnection } from '../redis/connection.ts';
import { isDead, parseHolder, readPidSpace, type IsAlive, type LockHolder } from './lock-holder.ts';
import { redisFailure } from './redis-failure.ts';
import { runKeys } from './run-keys.ts';
import { READ_LOCKS } from './lock-scripts.ts';
import { runScript } from './run-scripts.ts';
import type { RunProgress } from './run.ts';

export interface ProducerSignsOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /**
   * A Redis that has been up for less than this may have been away until now: a lock that ran out meanwhile says
   * nothing before its owner had time to come back. Defaults to 20,000; 0 for a Redis that nobody else could be using.
   */
  readonly settleMs?: number;
  /** Defaults to asking this machine. */
  readonly isAlive?: IsAlive;
}

/** A run that has not ended, and whose producer is gone. */
export interface LostProducer {
  readonly runId: string;
  /** The last sign of life, by the clock of Redis; null when it is too long ago to be known. */
  readonly sinceMs: number | null;
  /** Why it is taken for lost, for people. */
  readonly reason: string;
}

interface LockSigns {
  readonly nowMs: number;
  readonly holder: string;
  readonly lastHolder: string;
  readonly rememberedForMs: number;
}

const DEFAULT_SETTLE_MS = 20_000;
const LOCKS_PER_CALL = 100;

/**
 * Which of these running runs have lost their producer. A producer holds the lock of its pipeline from before its run
 * begins until after it has ended, and renews it; so the lock tells, wherever the producer runs.
 * @throws EmbedlineError REDIS_UNREACHABLE
 */
export async function findLostProducers(
  runs: readonly RunProgress[],
  options: ProducerSignsOptions,
): Promise<LostProducer[]> {
  const self = { host: hostname(), pidSpace: await readPidSpace() };
  const isGone = (holder: LockHolder) => isDead(holder, self, options.isAlive);
  let settled: Promise<boolean> | null = null;
  const isSettled = () => (settled ??= hasSettled(options));
  const lost: LostProducer[] = [];
  for (let start = 0; start < runs.length; start += LOCKS_PER_CALL) {
    const slice = runs.slice(start, start + LOCKS_PER_CALL);
    const signs = await readLocks(slice, options);
    for (const [index, run] of slice.entries()) {
      const found = await judge(run, signs[index] as LockSigns, { isGone, isSettled });
      if (found !== null) lost.push(found);
    }
  }
  return lost;
}

interface Judges {
  readonly isGone: (holder: LockHolder) => boolean;
  readonly isSettled: () => Promise<boolean>;
}

async function judge(
  run: RunProgress,
  signs: LockSigns,
  { isGone, isSettled }: Judges,
): Promise<LostProducer | null> {
  const { runId } = run.spec;
  const text = signs.holder === '' ? signs.lastHolder : signs.holder;
  const holder = parseHolder(text);
  // A newer version's lock is respected: its owner may be this run's.
  if (text !== '' && holder === null) return null;
  if (holder === null) {
    if (!(await isSettled())) return null;
    return {
      runId,
      sinceMs: null,
      reason: 'Its producer is gone: it gave up its lock, or was last seen more than a week ago',
    };
  }
  if (holder.runId !== runId) {
    const other = holder.doing ?? `run ${holder.runId}`;
    return { runId, sinceMs: holder.sinceMs, reason: `Its producer is gone: ${other} has taken its place` };
  }
  const isKnownDead = isGone(holder);
  if (!isKnownDead && (signs.holder !== '' || !(await isSettled()))) return null;
  const sinceMs = signs.nowMs - Math.max(0, holder.rememberMs - signs.rememberedForMs);
  const at = `${new Date(sinceMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const process = `process ${holder.pid} on ${holder.host}`;
  const how = isKnownDead ? 'has died; its last sign of life was at' : 'has given no sign of life since';
  return { runId, sinceMs, reason: `Its producer (${process}) ${how} ${at}` };
}

async function readLocks(
  runs: readonly RunProgress[],
  { redis, prefix }: ProducerSignsOptions,
): Promise<LockSigns[]> {
  const names = runKeys(prefix);
  const keys = runs
    .map(({ spec }) => `pipeline:${spec.pipeline}`)
    .flatMap((scope) => [names.lock(scope), names.lastLockOwner(scope)]);
  const answer = (await runScript(redis, READ_LOCKS, keys, []).catch((cause: unknown) => {
    throw redisFailure('Reading the locks of runs in Redis', cause);
  })) as [number, ...(string | number)[]];
  const [nowMs, ...rest] = answer;
  return runs.map((_, index) => ({
    nowMs,
    holder: String(rest[index * 3] ?? ''),
    lastHolder: String(rest[index * 3 + 1] ?? ''),
    rememberedForMs: Number(rest[index * 3 + 2] ?? 0),
  }));
}

/** A user of Redis that may not ask INFO takes it for settled: a run is then shown as lost for some seconds at most. */
async function hasSettled({ redis, settleMs = DEFAULT_SETTLE_MS }: ProducerSignsOptions): Promise<boolean> {
  if (settleMs === 0) return true;
  const info = await redis.info('server').catch(() => '');
  const uptime = /^uptime_in_seconds:(\d+)/m.exec(info)?.[1];
  return uptime === undefined || Number(uptime) * 1000 >= settleMs;
}

import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisConnection } from '../redis/connection.ts';
import { EmbedlineError } from '../errors.ts';
import {
  describeHolder,
  isDead,
  parseHolder,
  readPidSpace,
  type IsAlive,
  type LockHolder,
  type LockOwner,
} from './lock-holder.ts';
import { redisFailure, waitOutRefusals } from './redis-failure.ts';
import { runKeys } from './run-keys.ts';
import { ACQUIRE_LOCK, HOLD_LOCK, NEXT_SEQUENCE } from './lock-scripts.ts';
import { runScript } from './run-scripts.ts';

export interface RunLockOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** What is locked, e.g. `pipeline:docs`. */
  readonly scope: string;
  readonly owner: LockOwner;
  /** A dead owner's lock is free after this long. Defaults to 30,000. */
  readonly ttlMs?: number;
  /** Tells whether an owner on this host still runs; a dead one's lock is taken over at once. */
  readonly isAlive?: IsAlive;
  /** Wait for the lock instead of failing. Defaults to false. */
  readonly wait?: boolean;
  readonly signal?: AbortSignal;
  /** Told once when waiting begins. */
  readonly onWaiting?: (message: string) => void;
}

/** An exclusive right that is renewed until it is released. */
export interface RunLock {
  /** Fires, with an EmbedlineError RUN_SUPERSEDED, when the lock was lost. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

/** Another owner's lock that stays is asked for this often. */
const RETRY_MS = 500;
/**
 * An owner that was away for longer has lost a lock that nobody took in the meantime, too; and for as long it can be told
 * since when the owner has been away.
 */
const REMEMBER_MS = 7 * 24 * 3600 * 1000;

/** @throws EmbedlineError RUN_LOCKED that names the owner, unless `wait` is set; REDIS_UNREACHABLE */
export async function acquireRunLock(options: RunLockOptions): Promise<RunLock> {
  const { redis, scope, signal, ttlMs = 30_000 } = options;
  const names = runKeys(options.prefix);
  const keys = [names.lock(scope), names.lastLockOwner(scope)];
  const pidSpace = await readPidSpace();
  const self: LockHolder = { ...options.owner, sinceMs: Date.now(), pidSpace, rememberMs: REMEMBER_MS };
  const value = JSON.stringify(self);
  let replace = '';
  for (let waiting = false; ;) {
    signal?.throwIfAborted();
    const holder = await askForLock(redis, scope, keys, [value, ttlMs, replace, REMEMBER_MS]);
    if (holder === '') return hold({ redis, keys, value, ttlMs, scope });
    const owner = parseHolder(holder);
    if (owner !== null && replace === '' && isDead(owner, self, options.isAlive)) {
      replace = holder;
      continue;
    }
    replace = '';
    const message = describeHolder(scope, owner, ttlMs);
    if (options.wait !== true) throw new EmbedlineError('RUN_LOCKED', message);
    if (!waiting) options.onWaiting?.(message);
    waiting = true;
    await delay(RETRY_MS, undefined, signal === undefined ? {} : { signal });
  }
}

/**
 * Who holds a lock, in words for people; null when nobody does, or a process that is known to be dead.
 * @throws EmbedlineError REDIS_UNREACHABLE
 */
export async function describeLockHolder(
  options: Pick<RunLockOptions, 'redis' | 'prefix' | 'scope' | 'isAlive'>,
): Promise<string | null> {
  const { redis, prefix, scope } = options;
  const read = async () => {
    const key = runKeys(prefix).lock(scope);
    return { text: await redis.get(key), ttlMs: await redis.pttl(key) };
  };
  const { text, ttlMs } = await read().catch((cause: unknown) => {
    throw redisFailure(`Reading the lock on ${scope} in Redis`, cause);
  });
  if (text === null) return null;
  const holder = parseHolder(text);
  const self = { host: hostname(), pidSpace: await readPidSpace() };
  if (holder !== null && isDead(holder, self, options.isAlive)) return null;
  return describeHolder(scope, holder, Math.max(ttlMs, 0));
}

/** Who holds a lock; null when nobody does, or another version. @throws EmbedlineError REDIS_UNREACHABLE */
export async function readLockHolder({
  redis,
  prefix,
  scope,
}: Pick<RunLockOptions, 'redis' | 'prefix' | 'scope'>): Promise<LockOwner | null> {
  const text = await redis.get(runKeys(prefix).lock(scope)).catch((cause: unknown) => {
    throw redisFailure(`Reading the lock on ${scope} in Redis`, cause);
  });
  return text === null ? null : parseHolder(text);
}

/** A number that rises with every call, even if Redis was emptied in between: the fence of in-place writes. */
export async function nextRunSequence(redis: RedisConnection, prefix: string): Promise<number> {
  const ask = () => runScript(redis, NEXT_SEQUENCE, [runKeys(prefix).sequence], []);
  try {
    return Number(await waitOutRefusals(ask));
  } catch (cause) {
    throw redisFailure('Taking the next run sequence from Redis', cause);
  }
}

async function askForLock(
  redis: RedisConnection,
  scope: string,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<string> {
  try {
    return String(await waitOutRefusals(() => runScript(redis, ACQUIRE_LOCK, keys, args)));
  } catch (cause) {
    throw redisFailure(`Taking the lock on ${scope} in Redis`, cause);
  }
}

interface HeldLock {
  readonly redis: RedisConnection;
  readonly keys: readonly string[];
  readonly value: string;
  readonly ttlMs: number;
  readonly scope: string;
}

/**
 * Only an answer of Redis ends the right, not its silence: while Redis is away nobody else can take the lock, and when
 * it is back it knows whether somebody did. (A run that cannot reach Redis for long fails by itself.)
 */
function hold({ redis, keys, value, ttlMs, scope }: HeldLock): RunLock {
  const lost = new AbortController();
  const ask = (forMs: number) => runScript(redis, HOLD_LOCK, keys, [value, forMs, REMEMBER_MS]);
  let renewing: Promise<void> | null = null;
  const renew = async () => {
    const isHeld = await ask(ttlMs).then(
      (answer) => answer === 1,
      () => true,
    );
    renewing = null;
    if (isHeld) return;
    clearInterval(timer);
    lost.abort(
      new EmbedlineError(
        'RUN_SUPERSEDED',
        `The lock on ${scope} was lost: another run may have taken over. Ingest again.`,
      ),
    );
  };
  const timer = setInterval(() => void (renewing ??= renew()), ttlMs / 3);
  timer.unref();
  return {
    signal: lost.signal,
    release: async () => {
      clearInterval(timer);
      await renewing;
      // If Redis does not answer, the lock ends by itself: not worth failing what is over.
      await ask(0).catch(() => undefined);
    },
  };
}

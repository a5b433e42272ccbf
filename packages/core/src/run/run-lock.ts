import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import { runKeys } from './run-keys.ts';
import { ACQUIRE_LOCK, HOLD_LOCK, NEXT_SEQUENCE, runScript } from './run-scripts.ts';

export interface LockOwner {
  readonly host: string;
  readonly pid: number;
  readonly runId: string;
}

export interface RunLockOptions {
  readonly redis: Redis;
  readonly prefix: string;
  /** What is locked, e.g. `pipeline:docs`. */
  readonly scope: string;
  readonly owner: LockOwner;
  /** A dead owner's lock is free after this long. Defaults to 30,000. */
  readonly ttlMs?: number;
  /** Tells whether an owner on this host still runs; a dead one's lock is taken over at once. */
  readonly isAlive?: (owner: LockOwner) => boolean;
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

const ownerSchema = z.object({
  host: z.string(),
  pid: z.number(),
  runId: z.string(),
  sinceMs: z.number(),
});

/** Another owner's lock that stays is asked for this often. */
const RETRY_MS = 500;

/** @throws EmbedlineError RUN_LOCKED that names the owner, unless `wait` is set */
export async function acquireRunLock(options: RunLockOptions): Promise<RunLock> {
  const { redis, scope, ttlMs = 30_000 } = options;
  const key = runKeys(options.prefix).lock(scope);
  const value = JSON.stringify({ ...options.owner, sinceMs: Date.now() });
  let replace = '';
  for (let waiting = false; ;) {
    const holder = String(await runScript(redis, ACQUIRE_LOCK, [key], [value, ttlMs, replace]));
    if (holder === '') return hold(redis, key, value, ttlMs, scope);
    const owner = ownerSchema.safeParse(JSON.parse(holder));
    if (owner.success && replace === '' && isDead(owner.data, options)) {
      replace = holder;
      continue;
    }
    replace = '';
    const message = describeHolder(scope, owner.data);
    if (options.wait !== true) throw new EmbedlineError('RUN_LOCKED', message);
    if (!waiting) options.onWaiting?.(message);
    waiting = true;
    await delay(RETRY_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/** A number that rises with every call, even if Redis was emptied in between: the fence of in-place writes. */
export async function nextRunSequence(redis: Redis, prefix: string): Promise<number> {
  return Number(await runScript(redis, NEXT_SEQUENCE, [runKeys(prefix).sequence], []));
}

/** True when somebody holds the lock now. */
export async function isLocked(redis: Redis, prefix: string, scope: string): Promise<boolean> {
  return (await redis.exists(runKeys(prefix).lock(scope))) === 1;
}

function isDead(owner: LockOwner, { owner: self, isAlive = processIsAlive }: RunLockOptions): boolean {
  return owner.host === self.host && !isAlive(owner);
}

function processIsAlive({ pid }: LockOwner): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function describeHolder(scope: string, owner: (LockOwner & { sinceMs: number }) | undefined): string {
  const [kind, name] = scope.split(/:(.*)/s);
  const who =
    owner === undefined
      ? 'another process'
      : `run ${owner.runId} (process ${owner.pid} on ${owner.host}, since ${new Date(owner.sinceMs).toISOString()})`;
  return (
    `The ${kind} ${name} is being ingested by ${who}. Wait for it (--wait), or stop it first; ` +
    `if that process is dead, its lock ends by itself within 30 seconds.`
  );
}

function hold(redis: Redis, key: string, value: string, ttlMs: number, scope: string): RunLock {
  const controller = new AbortController();
  let renewedAtMs = Date.now();
  const lose = () => {
    clearInterval(timer);
    controller.abort(
      new EmbedlineError(
        'RUN_SUPERSEDED',
        `The lock on ${scope} was lost: another run may have taken over. Ingest again.`,
      ),
    );
  };
  const renew = async () => {
    const askedAtMs = Date.now();
    try {
      const held = (await runScript(redis, HOLD_LOCK, [key], [value, ttlMs])) === 1;
      if (held) renewedAtMs = askedAtMs;
      else lose();
    } catch {
      if (Date.now() - renewedAtMs > ttlMs) lose();
    }
  };
  const timer = setInterval(() => void renew(), ttlMs / 3);
  timer.unref();
  return {
    signal: controller.signal,
    release: async () => {
      clearInterval(timer);
      await runScript(redis, HOLD_LOCK, [key], [value, 0]);
    },
  };
}

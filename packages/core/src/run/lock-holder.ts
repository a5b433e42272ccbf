import { readFile, readlink } from 'node:fs/promises';
import { z } from 'zod';
import { storedCount, storedDurationMs, storedTimeMs } from '../stored-numbers.ts';
import { parseStored } from '../redis/stored-value.ts';

export interface LockOwner {
  readonly host: string;
  readonly pid: number;
  readonly runId: string;
  /** What it does, for people, when that is not a run: `a rollback`. */
  readonly doing?: string | undefined;
}

const holderSchema = z.object({
  host: z.string().max(255),
  pid: storedCount,
  runId: z.string().max(200),
  doing: z.string().max(200).optional(),
  sinceMs: storedTimeMs,
  pidSpace: z.string().max(1_000),
  /** How long Redis remembers this owner after its last sign of life; an hour in version 0.1.0. */
  rememberMs: storedDurationMs.default(3_600_000),
});

/** Who holds a lock, as it stands in Redis. */
export type LockHolder = z.infer<typeof holderSchema>;

/** Null for another version's lock: it is respected, though it cannot be named. */
export function parseHolder(text: string): LockHolder | null {
  return parseStored(text, holderSchema);
}

/** Tells whether an owner in the PID space of this process still runs. */
export type IsAlive = (owner: LockOwner) => boolean;

/**
 * Where process ids mean the same: one boot of one machine, one PID namespace of it. Containers may share a host name
 * and do not see each other's processes. Empty where there is no /proc; then the host name has to do.
 */
export async function readPidSpace(): Promise<string> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()} ${await readlink('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

/** True when the owner is known to be dead; false when it lives, or cannot be seen from here. */
export function isDead(
  owner: LockHolder,
  self: Pick<LockHolder, 'host' | 'pidSpace'>,
  isAlive: IsAlive = processIsAlive,
): boolean {
  return owner.host === self.host && owner.pidSpace === self.pidSpace && !isAlive(owner);
}

function processIsAlive({ pid }: LockOwner): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Who holds the lock on a scope, and what one can do, for people. */
export function describeHolder(scope: string, owner: LockHolder | null, ttlMs: number): string {
  const [kind, name] = scope.split(/:(.*)/s);
  const process =
    owner === null
      ? ''
      : ` (process ${owner.pid} on ${owner.host}, since ${new Date(owner.sinceMs).toISOString()})`;
  const who = owner === null ? 'another process' : (owner.doing ?? `run ${owner.runId}`);
  return (
    `The ${kind} ${name} is being ${owner?.doing === undefined ? 'ingested' : 'changed'} by ${who}${process}. Wait for it (--wait), or stop it first; ` +
    `if that process is dead, its lock ends by itself within ${Math.ceil(ttlMs / 1000)} seconds.`
  );
}

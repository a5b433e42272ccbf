import { setTimeout as delay } from 'node:timers/promises';
import {
  acquireRunLock,
  describeLockHolder,
  EmbedlineError,
  isEmbedlineError,
  messageOf,
  Releasers,
  type Generation,
  type LockOwner,
  type RedisConnection,
  type RunLock,
  type VectorStore,
} from '@embedline/core';

/** What a claim needs, whatever is claimed. */
export interface ClaimContext {
  readonly store: VectorStore;
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** Wait for whoever is in the way instead of failing. */
  readonly wait: boolean;
  readonly signal: AbortSignal;
  readonly onNotice: (message: string) => void;
}

/** Why an attempt came to nothing, for people; null when it is to be repeated at once. */
export interface Obstacle {
  readonly obstacle: string | null;
}

/** A collection that nobody else changes meanwhile. */
export interface CollectionClaim {
  /** As they are under the claim, oldest first. */
  readonly generations: readonly Generation[];
  /** Fires when the right was lost. */
  readonly signal: AbortSignal;
  /** Idempotent. */
  close(): Promise<void>;
}

const RETRY_MS = 500;

/**
 * The exclusive right to change which generations a collection has and which one readers see.
 * @throws EmbedlineError RUN_LOCKED unless `wait`
 */
export function claimCollection(
  collection: string,
  owner: LockOwner,
  context: ClaimContext,
): Promise<CollectionClaim> {
  return claimWhenFree(context, async (held) => {
    const locked = await lockCollection(collection, { owner, except: null }, context);
    if ('obstacle' in locked) return locked;
    const { lock, generations } = locked;
    held.add(() => lock.release());
    return { generations, signal: lock.signal, close: () => held.release() };
  });
}

/** Attempts until nothing is in the way. An attempt that meets an obstacle lets go of what it held: none waits while it holds a lock. */
export async function claimWhenFree<T extends object>(
  { wait, signal, onNotice }: ClaimContext,
  attempt: (held: Releasers) => Promise<T | Obstacle>,
): Promise<T> {
  for (let told = false; ;) {
    const held = new Releasers();
    try {
      const claim = await attempt(held);
      if (!('obstacle' in claim)) return claim;
      const { obstacle } = claim;
      if (obstacle !== null && !wait) throw new EmbedlineError('RUN_LOCKED', obstacle);
      if (obstacle !== null && !told) onNotice(obstacle);
      told ||= obstacle !== null;
    } catch (error) {
      await held.release();
      throw error;
    }
    await held.release();
    await delay(RETRY_MS, undefined, { signal });
  }
}

/**
 * Takes the collection's lock, and then looks for pipelines that are at work in it. These make themselves known first
 * and look for this lock then: at least one of two sees the other.
 * @returns the lock and the generations under it, or who is in the way
 */
export async function lockCollection(
  collection: string,
  { owner, except }: { readonly owner: LockOwner; readonly except: string | null },
  { store, redis, prefix }: ClaimContext,
): Promise<{ readonly lock: RunLock; readonly generations: readonly Generation[] } | Obstacle> {
  const lock = await acquireRunLock({ redis, prefix, scope: `collection:${collection}`, owner }).catch(
    (error: unknown) => {
      if (isEmbedlineError(error, 'RUN_LOCKED')) return messageOf(error);
      throw error;
    },
  );
  if (typeof lock === 'string') return { obstacle: lock };
  try {
    const generations = await store.generations(collection);
    const pipelines = new Set(generations.flatMap(({ manifest }) => Object.keys(manifest.pipelines)));
    for (const pipeline of pipelines) {
      if (pipeline === except) continue;
      const obstacle = await describeLockHolder({ redis, prefix, scope: `pipeline:${pipeline}` });
      if (obstacle === null) continue;
      await lock.release();
      return { obstacle };
    }
    return { lock, generations };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

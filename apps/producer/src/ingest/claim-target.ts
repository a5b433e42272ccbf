import { setTimeout as delay } from 'node:timers/promises';
import {
  acquireRunLock,
  describeLockHolder,
  EmbedlineError,
  isEmbedlineError,
  messageOf,
  Releasers,
  type Redis,
  type RunLock,
  type RunLockOptions,
  type VectorStore,
} from '@embedline/core';
import {
  chooseGeneration,
  otherPipelines,
  type ChosenGeneration,
  type GenerationWanted,
} from './choose-generation.ts';
import { openTarget, type RunTarget } from './open-target.ts';

export interface ClaimOptions extends GenerationWanted {
  readonly store: VectorStore;
  readonly redis: Redis;
  readonly prefix: string;
  /** Take vectors of equal texts from the collection. */
  readonly reuse: boolean;
  /** The corpus is only a part: a new generation made from it would lack the rest. */
  readonly partial: boolean;
  /** Wait for another run instead of failing. */
  readonly wait: boolean;
  readonly signal: AbortSignal;
  readonly onNotice: (message: string) => void;
}

/** The exclusive right to write to a run's target, with the target. */
export interface Claim {
  readonly target: RunTarget;
  /** Fires when the right was lost. */
  readonly signal: AbortSignal;
  /** Idempotent. */
  close(): Promise<void>;
}

const RETRY_MS = 500;

/**
 * One run per pipeline at a time; and while a run builds a new generation, no other pipeline of the collection writes
 * to the old one, since that would be lost when the name moves. Whoever builds takes the collection's lock first and
 * then looks for other pipelines at work; whoever writes in place makes itself known first and then looks for a
 * builder: at least one of two sees the other. None waits while it holds a lock.
 * @throws EmbedlineError RUN_LOCKED unless `wait`; COLLECTION_INCOMPATIBLE
 */
export async function claimTarget(owner: RunLockOptions['owner'], options: ClaimOptions): Promise<Claim> {
  for (let told = false; ; told = true) {
    const held = new Releasers();
    try {
      const claim = await tryToClaim(owner, held, options);
      if (!('obstacle' in claim)) return claim;
      if (!options.wait) throw new EmbedlineError('RUN_LOCKED', claim.obstacle);
      if (!told) options.onNotice(claim.obstacle);
    } catch (error) {
      await held.release();
      throw error;
    }
    await held.release();
    await delay(RETRY_MS, undefined, { signal: options.signal });
  }
}

async function tryToClaim(
  owner: RunLockOptions['owner'],
  held: Releasers,
  options: ClaimOptions,
): Promise<Claim | { readonly obstacle: string }> {
  const { store, signal } = options;
  const lock = await acquireRunLock({
    ...lockOf(`pipeline:${options.pipeline}`, options),
    owner,
    wait: options.wait,
    signal,
    onWaiting: options.onNotice,
  });
  held.add(() => lock.release());
  const chosen = await chooseGeneration(store, options);
  if (chosen.plan.kind === 'in-place') {
    const target = held.own(await openTarget(chosen, options));
    const obstacle = await describeLockHolder(lockOf(`collection:${options.collection}`, options));
    return obstacle === null ? claimOf(target, [lock], held) : { obstacle };
  }
  assertWhole(chosen, options);
  const building = await lockCollection(owner, options);
  if (typeof building === 'string') return { obstacle: building };
  held.add(() => building.release());
  // What was chosen without the lock may have changed since.
  const again = await chooseGeneration(store, options);
  for (const other of again.live === null ? [] : otherPipelines(again.live, options.pipeline)) {
    const obstacle = await describeLockHolder(lockOf(`pipeline:${other}`, options));
    if (obstacle !== null) return { obstacle };
  }
  const target = held.own(await openTarget(again, options));
  return claimOf(target, [lock, building], held);
}

/** @returns the lock, or who has it */
async function lockCollection(
  owner: RunLockOptions['owner'],
  options: ClaimOptions,
): Promise<RunLock | string> {
  try {
    return await acquireRunLock({ ...lockOf(`collection:${options.collection}`, options), owner });
  } catch (error) {
    if (isEmbedlineError(error, 'RUN_LOCKED')) return messageOf(error);
    throw error;
  }
}

function lockOf(scope: string, { redis, prefix }: ClaimOptions) {
  return { redis, prefix, scope };
}

function claimOf(target: RunTarget, locks: readonly RunLock[], held: Releasers): Claim {
  return {
    target,
    signal: AbortSignal.any(locks.map(({ signal }) => signal)),
    close: () => held.release(),
  };
}

function assertWhole({ live, plan }: ChosenGeneration, { partial, collection }: ClaimOptions): void {
  if (!partial || (plan.kind === 'build' && live === null)) return;
  throw new EmbedlineError(
    'COLLECTION_INCOMPATIBLE',
    live === null
      ? `The first ingest of collection ${collection} has not finished, and a partial one must not publish it. Ingest the whole corpus first, without --partial.`
      : `Collection ${collection} has to be built anew (another model, chunking or schema, or --rebuild), and a part of the corpus ` +
          `is not enough for that. Ingest the whole corpus, without --partial.`,
  );
}

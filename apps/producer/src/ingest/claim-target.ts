import {
  acquireRunLock,
  describeLockHolder,
  type AuditEvent,
  type LockOwner,
  type Releasers,
  type RunLock,
} from '@embedline/core';
import { aboutDropped } from './audited.ts';
import { chooseGeneration, chooseAmong, type ChosenGeneration } from './choose-generation.ts';
import { claimWhenFree, lockCollection, type ClaimContext, type Obstacle } from './claim-collection.ts';
import { openTarget, type RunTarget, type TargetWanted } from './open-target.ts';

export interface ClaimOptions extends TargetWanted, ClaimContext {
  /** Take vectors of equal texts from the collection. */
  readonly reuse: boolean;
  /** Told of what cannot be taken back, once it is done. */
  readonly onAudit: (event: AuditEvent) => void;
}

/** The exclusive right to write to a run's target, with the target. */
export interface Claim {
  readonly target: RunTarget;
  /** Fires when the right was lost. */
  readonly signal: AbortSignal;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * One run per pipeline at a time; and while a run builds a new generation, no other pipeline of the collection writes
 * to the old one, since that would be lost when the name moves. Whoever builds takes the collection's lock first and
 * then looks for other pipelines at work; whoever writes in place makes itself known first and then looks for a
 * builder: at least one of two sees the other.
 * @throws EmbedlineError RUN_LOCKED unless `wait`; COLLECTION_INCOMPATIBLE
 */
export function claimTarget(owner: LockOwner, options: ClaimOptions): Promise<Claim> {
  return claimWhenFree(options, async (held) => {
    const { redis, prefix, pipeline, wait, signal, onNotice } = options;
    const scope = `pipeline:${pipeline}`;
    const lock = await acquireRunLock({ redis, prefix, scope, owner, wait, signal, onWaiting: onNotice });
    held.add(() => lock.release());
    const chosen = await chooseGeneration(options.store, options);
    return chosen.plan.kind === 'in-place'
      ? claimLive(chosen, lock, held, options)
      : claimBuild(owner, lock, held, options);
  });
}

async function claimLive(
  chosen: ChosenGeneration,
  lock: RunLock,
  held: Releasers,
  options: ClaimOptions,
): Promise<Claim | Obstacle> {
  const { store, redis, prefix, collection } = options;
  const target = held.own(await openTarget(chosen, options));
  const obstacle = await describeLockHolder({ redis, prefix, scope: `collection:${collection}` });
  if (obstacle !== null) return { obstacle };
  // A builder may have published between the choice and the look: then that was the generation before.
  const again = await chooseGeneration(store, options);
  if (again.live?.identity !== target.generation.identity) return { obstacle: null };
  await dropAbandoned(again, options);
  return claimOf(target, [lock], held);
}

async function claimBuild(
  owner: LockOwner,
  lock: RunLock,
  held: Releasers,
  options: ClaimOptions,
): Promise<Claim | Obstacle> {
  const { collection, pipeline } = options;
  const building = await lockCollection(collection, { owner, except: pipeline }, options);
  if ('obstacle' in building) return building;
  held.add(() => building.lock.release());
  // What was chosen without the lock may have changed since.
  const chosen = chooseAmong(building.generations, options);
  if (chosen.plan.kind === 'in-place') return { obstacle: null };
  await dropAbandoned(chosen, options);
  const target = held.own(await openTarget(chosen, options));
  return claimOf(target, [lock, building.lock], held);
}

async function dropAbandoned(
  { abandoned }: ChosenGeneration,
  { store, pipeline, onNotice, onAudit }: ClaimOptions,
): Promise<void> {
  for (const generation of abandoned) {
    await store.dropGeneration(generation);
    onAudit({ ...aboutDropped([generation]), pipeline });
    const what = generation.manifest.publishedAt === undefined ? 'unfinished generation' : 'generation';
    onNotice(`Dropped the ${what} ${generation.name}, which this ingest does not continue.`);
  }
}

function claimOf(target: RunTarget, locks: readonly RunLock[], held: Releasers): Claim {
  return {
    target,
    signal: AbortSignal.any(locks.map(({ signal }) => signal)),
    close: () => held.release(),
  };
}

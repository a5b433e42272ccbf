import { EmbedlineError, type Generation } from '@embedline/core';
import { aboutDropped } from './audited.ts';
import { carryOver } from './carry-over.ts';
import { hasSameChunks, otherPipelines } from './choose-generation.ts';
import { countCurrent } from './find-swept.ts';
import { assertAllowed, changeOf, type LastSteps } from './last-steps.ts';
import { lookAtLive, type Documents } from './measure-loss.ts';

/**
 * Exact count check, a look at what readers would lose, then one step that readers see.
 * @throws EmbedlineError STORE_MISMATCH, SOURCE_UNREADABLE, DELETE_GUARD, GIVEN_UP_GUARD, NOTHING_TO_PUBLISH, RUN_CANCELLED
 */
export async function publish(steps: LastSteps): Promise<void> {
  const { target, options, spec, signal } = steps;
  const { store } = options;
  const pointsAfter = await assertCount(steps);
  if (target.live !== null) await replace(steps, target.live, pointsAfter);
  else await assertAllowed(steps, { ...changeOf(steps), how: 'publication', pointsNow: 0, pointsAfter });
  // Since it was last looked at, somebody may have cancelled the run.
  await options.ledger.assertRunning(spec.runId);
  await store.publish(target.generation, { signal, onWaiting: options.onNotice });
  const generations = await store.generations(spec.collection, { signal });
  const older = generations.filter(({ live, number }) => !live && number < target.generation.number);
  const surplus = older.slice(0, Math.max(0, older.length - options.keepGenerations));
  for (const generation of surplus) {
    await store.dropGeneration(generation, { signal });
    options.onAudit({ ...aboutDropped([generation]), pipeline: spec.pipeline, run: spec.runId });
  }
}

/**
 * Of the documents that were read: of others an earlier attempt at this generation may have left points.
 * @returns points of the pipeline
 */
async function assertCount({ target, counts, spec, signal, seen, givenUp }: LastSteps): Promise<number> {
  const { points } = target;
  const { pipeline } = spec;
  const expected = counts.chunksTotal - givenUp;
  const total = await points.count({ pipeline, signal });
  if (total === counts.chunksTotal) return total;
  const found = await countCurrent({ points, pipeline, seen, signal });
  // A chunk that failed now may be there from an earlier attempt.
  if (found >= expected && found <= counts.chunksTotal) return total;
  throw new EmbedlineError(
    'STORE_MISMATCH',
    `${target.generation.name} holds ${found} points instead of ${expected}, so it is not published; readers see what they saw. ` +
      `Ingest again; if it stays, ingest with --rebuild.`,
  );
}

/** What readers see now makes way, unless they would lose too much; other pipelines move along. */
async function replace(steps: LastSteps, live: Generation, pointsAfter: number): Promise<void> {
  const { target, spec, signal, options, counts } = steps;
  const { pipeline, runSequence } = spec;
  const { store } = options;
  const { loss, unnamed } = await openAndLook(steps, live);
  if (loss.unread.documents > 0 && !options.sweepIncomplete) throw unreadLost(loss.unread, steps);
  await assertAllowed(steps, {
    ...changeOf(steps),
    how: 'publication',
    pointsNow: loss.pointsNow + unnamed,
    pointsAfter,
    documentsGone: loss.gone.documents,
    lost: { ...loss.lost, unnamed },
  });
  counts.documentsRemoved = loss.gone.documents;
  counts.chunksRemoved = loss.lost.vanished;
  const pipelines = otherPipelines(live, pipeline);
  if (pipelines.length > 0) await carryOver({ store, live, target, pipelines, runSequence, signal });
}

async function openAndLook({ options, spec: { pipeline }, seen, signal }: LastSteps, live: Generation) {
  const points = await options.store.open(live, { signal });
  try {
    const sameChunks = hasSameChunks(live, options);
    return await lookAtLive({ points, pipeline, seen, sameChunks, signal }, live);
  } finally {
    await points.close();
  }
}

function unreadLost({ documents, sample }: Documents, { target, spec }: LastSteps): EmbedlineError {
  const names = sample.map((id) => JSON.stringify(id)).join(', ');
  return new EmbedlineError(
    'SOURCE_UNREADABLE',
    `${target.generation.name} is not published, because ${documents} documents that readers see now could not be read ` +
      `(${names}${documents > sample.length ? ', ...' : ''}; embedline failed list --run ${spec.runId}) and would be missing. Fix them ` +
      `and ingest again, which continues the build, or publish it all the same with --sweep-incomplete.`,
  );
}

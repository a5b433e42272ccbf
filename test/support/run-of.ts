import { FORMAT_VERSION, NO_PRODUCER_COUNTS, type RunProgress } from '@embedline/core';
import { MANIFEST } from './points.ts';

/** What a run is of, as its producer says it. */
export const RUN = {
  pipeline: 'docs',
  collection: 'docs',
  storeKind: 'sqlite',
  generation: { collection: 'docs', name: 'docs--g1-00000000', identity: 'x' },
  model: MANIFEST.model,
  runSequence: 1,
} as const;

/** A run in the middle of its work, as the record of it would say. */
export function runOf(
  changes: Partial<RunProgress> & { counts?: Partial<RunProgress['producer']> },
): RunProgress {
  const { counts, ...rest } = changes;
  return {
    spec: {
      version: FORMAT_VERSION,
      runId: 'r1',
      ...RUN,
      startedAtMs: 1_000_000,
    },
    state: 'running',
    stage: 'embedding',
    sealed: true,
    producer: {
      ...NO_PRODUCER_COUNTS,
      documentsRead: 10,
      documentsNew: 10,
      chunksTotal: 1000,
      chunksEnqueued: 900,
      chunksSkipped: 100,
      batchesTotal: 9,
      ...counts,
    },
    workers: {
      batchesDone: 4,
      chunksEmbedded: 400,
      tokensEmbedded: 40_000,
      chunksTruncated: 0,
      chunksGivenUp: 0,
      bytesDone: 1,
    },
    jobsRefused: 0,
    deadLetters: 0,
    deadLettersByCode: {},
    endedAtMs: null,
    elapsedMs: 20_000,
    message: null,
    waitingFor: null,
    chunksPerSecond: 50,
    byWorker: [],
    ...rest,
  };
}

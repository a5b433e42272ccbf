import type { ConnectedWorker, RunProgress } from '@embedline/core';
import { missingWorker, servingOf, type Serving } from './serving.ts';

/** What is shown of a run, derived from its record and the workers that are connected. */
export interface RunView {
  readonly run: RunProgress;
  /** Chunks that are as they should be: skipped, updated, reused, embedded or given up on. */
  readonly chunksDone: number;
  /** Chunks of the whole corpus: exact once it is read, else extrapolated from the share that is; null when unknown. */
  readonly chunksExpected: number | null;
  /** 0 to 1; null when unknown. */
  readonly share: number | null;
  readonly etaSeconds: number | null;
  /** What the run waits for, for people; null when it goes on. */
  readonly waitingFor: string | null;
  /** Which of the connected workers take its batches, and why the others do not. */
  readonly serving: Serving;
}

/** From its start to its end, or until now. */
export function secondsOf({ spec, endedAtMs, elapsedMs }: RunProgress): number {
  return (endedAtMs === null ? elapsedMs : endedAtMs - spec.startedAtMs) / 1000;
}

/** Chunks embedded per second: now, while the run goes on; over the whole run once it has ended, everywhere alike. */
export function rateOf(run: RunProgress): number {
  if (run.state === 'lost') return 0;
  if (run.endedAtMs === null) return run.chunksPerSecond;
  return run.workers.chunksEmbedded / Math.max(secondsOf(run), 0.001);
}

/** @param startsWorkers whether the viewing command starts workers of its own. Defaults to false */
export function viewRun(
  run: RunProgress,
  workers: readonly ConnectedWorker[],
  startsWorkers = false,
): RunView {
  const { producer } = run;
  const serving = servingOf(run.spec, run.state === 'running' ? workers : []);
  const settled = producer.chunksSkipped + producer.chunksPayloadUpdated + producer.chunksReused;
  const givenUp =
    run.sealed && run.workers.batchesDone >= producer.batchesTotal
      ? producer.chunksEnqueued - run.workers.chunksEmbedded
      : 0;
  const chunksDone = settled + run.workers.chunksEmbedded + givenUp;
  const chunksExpected = expected(run);
  const share =
    run.state === 'done'
      ? 1
      : chunksExpected === null
        ? null
        : Math.min(1, chunksDone / Math.max(chunksExpected, 1));
  const left = chunksExpected === null ? null : Math.max(0, chunksExpected - chunksDone);
  const etaSeconds = run.state !== 'running' || left === null || rateOf(run) <= 0 ? null : left / rateOf(run);
  return {
    run,
    chunksDone,
    chunksExpected,
    share,
    etaSeconds,
    serving,
    waitingFor: waitingFor(run, serving, startsWorkers),
  };
}

function expected({ sealed, producer }: RunProgress): number | null {
  if (sealed) return producer.chunksTotal;
  const { sourceBytesRead, sourceBytesTotal, chunksTotal } = producer;
  if (sourceBytesTotal === 0 || sourceBytesRead === 0) return null;
  return Math.max(chunksTotal, Math.round(chunksTotal * (sourceBytesTotal / sourceBytesRead)));
}

function waitingFor(run: RunProgress, serving: Serving, startsWorkers: boolean): string | null {
  if (run.state !== 'running') return null;
  if (run.waitingFor !== null) return held(run.waitingFor.reason, run.waitingFor.sinceMs);
  if (run.producer.batchesTotal - run.workers.batchesDone <= 0) return null;
  const missing = missingWorker(serving, startsWorkers);
  if (missing !== null) return missing;
  const { able } = serving;
  const worker = able.find(({ waitingFor: reason }) => reason !== null);
  if (worker === undefined || able.some(({ waitingFor: reason }) => reason === null)) return null;
  return held(worker.waitingFor ?? '', worker.waitingSinceMs ?? Date.now());
}

function held(reason: string, sinceMs: number): string {
  return `${reason} (since ${new Date(sinceMs).toISOString().slice(11, 19)} UTC)`;
}

/** The shape that programs rely on, one object per run. */
export function runJson(view: RunView): object {
  const { run } = view;
  return {
    run: run.spec.runId,
    pipeline: run.spec.pipeline,
    collection: run.spec.collection,
    state: run.state,
    stage: run.stage,
    startedAt: new Date(run.spec.startedAtMs).toISOString(),
    endedAt: toIso(run.endedAtMs),
    ...(run.state === 'lost' ? { lostSince: toIso(run.lost?.sinceMs ?? null) } : {}),
    batches: { total: run.producer.batchesTotal, done: run.workers.batchesDone, failed: 0 },
    chunks: chunksJson(run),
    deadLetters: run.deadLetters,
    jobsRefused: run.jobsRefused,
    chunksPerSecond: Number(rateOf(run).toFixed(2)),
    etaSeconds: view.etaSeconds === null ? null : Math.round(view.etaSeconds),
    waitingFor: view.waitingFor,
    refusals: view.serving.refusing.map(({ workerId, code, reason, sinceMs }) => ({
      worker: workerId,
      code,
      reason,
      since: new Date(sinceMs).toISOString(),
    })),
    outdatedWorkers: view.serving.outdated.map(({ workerId, version }) => ({ worker: workerId, version })),
    workers: run.byWorker,
    message: run.message,
  };
}

function toIso(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}

/** Counts of chunks, by what was done for them. */
export function chunksJson({ producer, workers }: RunProgress) {
  return {
    total: producer.chunksTotal,
    embedded: workers.chunksEmbedded,
    reused: producer.chunksReused,
    skipped: producer.chunksSkipped,
    payloadUpdated: producer.chunksPayloadUpdated,
    removed: producer.chunksRemoved,
    keptStale: producer.chunksKeptStale,
  };
}

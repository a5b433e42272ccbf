import { hostname } from 'node:os';
import {
  EmbedlineError,
  isEmbedlineError,
  messageOf,
  nextRunSequence,
  Releasers,
  type Generation,
  type RunLedger,
  type RunProgress,
  type RunSpec,
} from '@embedline/core';
import { createAwaitedChunks } from './awaited-chunks.ts';
import { claimTarget } from './claim-target.ts';
import { Enqueuer } from './enqueue.ts';
import { finish } from './finish.ts';
import type { IngestOptions } from './ingest-options.ts';
import type { RunTarget } from './open-target.ts';
import { produce } from './produce.ts';
import { recordCounts } from './record-counts.ts';
import { newRunId } from './run-id.ts';
import { RepeatedTexts } from './repeated-texts.ts';
import { newRunCounts, type RunCounts } from './run-counts.ts';
import { createSeenDocuments } from './seen-documents.ts';
import { UnfinishedBatches } from './unfinished-batches.ts';
import { waitForBatches } from './wait-for-batches.ts';

/** How an ingest ended. */
export interface IngestOutcome {
  readonly progress: RunProgress;
  /** Notices for people: what was left undone, and why. */
  readonly notices: readonly string[];
}

/** One run of one pipeline, from reading to publishing. Whatever ends it early, running it again converges. */
export async function ingest(options: IngestOptions): Promise<IngestOutcome> {
  await using releasers = new Releasers();
  const runId = newRunId();
  const claim = releasers.own(await claimTarget({ host: hostname(), pid: process.pid, runId }, options));
  await forgetQueuedBatches(options);
  const counts = newRunCounts();
  counts.sourceBytesTotal = (await options.corpus.survey()).bytes ?? 0;
  const spec = await createRun(runId, claim.target.generation, options);
  options.onStart(spec);
  const workers = options.startWorkers(spec);
  if (workers !== null) releasers.add(() => workers.close());
  const signal = AbortSignal.any([
    options.signal,
    claim.signal,
    ...(workers === null ? [] : [workers.signal]),
  ]);
  return await run({ spec, target: claim.target, counts, signal, options });
}

interface RunContext {
  readonly spec: RunSpec;
  readonly target: RunTarget;
  readonly counts: RunCounts;
  readonly signal: AbortSignal;
  readonly options: IngestOptions;
}

async function run(context: RunContext): Promise<IngestOutcome> {
  const { spec, target, counts, options } = context;
  const { ledger, queue } = options;
  const { runId, runSequence } = spec;
  const recording = recordCounts(ledger, runId, counts);
  const seen = createSeenDocuments({ keepIds: options.partial });
  const awaited = target.isNew && target.live === null ? null : createAwaitedChunks();
  try {
    const signal = AbortSignal.any([context.signal, recording.signal]);
    const repeated = new RepeatedTexts({ target: target.points, runSequence, signal });
    const unfinished = new UnfinishedBatches({
      runId,
      queue,
      ledger,
      signal,
      onNotice: options.onNotice,
      signingKeys: options.signingKeys,
    });
    const limits = options.queueLimits;
    const enqueuer = new Enqueuer({ runId, unfinished, ledger, counts, signal, limits });
    await produce({ ...produceOptions(context, signal), seen, awaited, repeated, enqueuer });
    const done = await waitForBatches({ runId, ledger, unfinished, counts, signal });
    counts.chunksReused += await repeated.settle();
    const repeatedGivenUp = repeated.giveUp(runId);
    await ledger.addDeadLetters(runId, repeatedGivenUp);
    const givenUp = done.workers.chunksGivenUp + repeatedGivenUp.length;
    const notices = await finish({ ...context, signal, seen, awaited, givenUp });
    await recording.close();
    await ledger.recordProducer(runId, counts);
    if (!(await ledger.end(runId, 'done', null)) && (await finalProgress(ledger, runId)).state !== 'done')
      notices.push(`Run ${runId} was ended by others when all of it was done already.`);
    await dropQueue(runId, options);
    return { progress: await finalProgress(ledger, runId), notices };
  } catch (error) {
    await recording.close();
    const reason = reasonOf(error, [options.signal, context.signal, recording.signal]);
    await endEarly(context, reason);
    throw reason;
  } finally {
    seen.close();
    awaited?.close();
  }
}

function produceOptions({ spec, target, counts, options }: RunContext, signal: AbortSignal) {
  return {
    runId: spec.runId,
    runSequence: spec.runSequence,
    pipeline: spec.pipeline,
    passagePrefix: spec.model.passagePrefix,
    embedTitle: spec.embedTitle === true,
    chunk: options.chunk,
    corpus: options.corpus,
    onDuplicate: options.onDuplicate,
    ledger: options.ledger,
    target: target.points,
    reuseFrom: options.reuse ? target.reuseFrom : null,
    counts,
    signal,
  };
}

async function createRun(runId: string, generation: Generation, options: IngestOptions): Promise<RunSpec> {
  return options.ledger.create({
    runId,
    pipeline: options.pipeline,
    collection: options.collection,
    storeKind: options.store.kind,
    generation: { collection: generation.collection, name: generation.name, identity: generation.identity },
    model: options.model,
    ...(options.embedTitle === true ? { embedTitle: true } : {}),
    runSequence: await nextRunSequence(options.redis, options.prefix),
  });
}

/** Jobs of earlier runs of this pipeline that ended early: this run finds what they left undone by comparing. */
async function forgetQueuedBatches({ ledger, queue, pipeline }: IngestOptions): Promise<void> {
  for await (const run of ledger.index.newestFirst(pipeline)) {
    if (run.state === 'done') continue;
    // The lock is ours, so whoever left the run as running is gone, and may have queued more than it could record.
    if (run.state === 'running') await ledger.end(run.spec.runId, 'failed', 'its process died');
    await queue.removeRun(run.spec.runId);
  }
}

/** What waits is told to stop by a signal and throws an AbortError: the signal says why. */
function reasonOf(error: unknown, signals: readonly AbortSignal[]): unknown {
  if (isEmbedlineError(error)) return error;
  const reasons = signals.filter(({ aborted }) => aborted).map(({ reason }): unknown => reason);
  return reasons.find((reason) => isEmbedlineError(reason)) ?? error;
}

async function endEarly({ spec, counts, options }: RunContext, error: unknown): Promise<void> {
  // It has ended already. What was queued while it was cancelled goes as well.
  if (isEmbedlineError(error, 'RUN_CANCELLED')) {
    await dropQueue(spec.runId, options);
    return;
  }
  const interrupted = options.signal.aborted;
  const state = interrupted ? 'interrupted' : 'failed';
  const message = interrupted ? `stopped by ${String(options.signal.reason)}` : messageOf(error);
  try {
    await options.ledger.recordProducer(spec.runId, counts);
    await options.ledger.end(spec.runId, state, message);
    await dropQueue(spec.runId, options);
  } catch (cause) {
    // The record is gone or Redis is: the error that ended the run says more.
    if (!isEmbedlineError(cause, 'RUN_LOST') && !interrupted)
      options.onNotice(`The end of the run could not be recorded: ${messageOf(cause)}`);
  }
}

/** Nobody waits for what is left of it. If that fails, workers or the next ingest of the pipeline drop it. */
async function dropQueue(runId: string, { queue }: IngestOptions): Promise<void> {
  await queue.removeRun(runId).catch(() => undefined);
}

async function finalProgress(ledger: RunLedger, runId: string): Promise<RunProgress> {
  const progress = await ledger.progress(runId);
  if (progress !== null) return progress;
  throw new EmbedlineError(
    'RUN_LOST',
    `Redis has lost run ${runId} in its last moment. Ingest again: that costs only the difference.`,
  );
}

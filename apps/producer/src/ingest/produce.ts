import type { DeadLetter, GenerationPoints, RunLedger } from '@embedline/core';
import type { AwaitedChunks } from './awaited-chunks.ts';
import type { DocumentDecision } from './compare.ts';
import { compareCorpus, type CompareCorpusOptions } from './compare-corpus.ts';
import type { Enqueuer } from './enqueue.ts';
import type { RepeatedTexts } from './repeated-texts.ts';
import type { RunCounts } from './run-counts.ts';

export interface ProduceOptions extends CompareCorpusOptions {
  readonly runId: string;
  readonly runSequence: number;
  readonly target: GenerationPoints;
  readonly ledger: RunLedger;
  readonly enqueuer: Enqueuer;
  readonly repeated: RepeatedTexts;
  readonly counts: RunCounts;
  /** Gets every chunk that a worker or an equal text is to bring a vector for. */
  readonly awaited: AwaitedChunks | null;
}

/**
 * READ -> CHUNK -> COMPARE -> BATCH -> ENQUEUE. Unchanged points are not touched; payload changes and vectors that are
 * reused are written here, since they cost no inference; what has to be embedded goes to the workers.
 */
export async function produce(options: ProduceOptions): Promise<void> {
  const { ledger, runId, counts, repeated, enqueuer } = options;
  try {
    for await (const { decisions, deadLetters, bytes } of compareCorpus(options)) {
      counts.chunksReused += await repeated.settle();
      await settle(decisions, options);
      await addDeadLetters(ledger, runId, deadLetters);
      counts.recordsRejected += deadLetters.length;
      counts.sourceBytesRead += bytes;
    }
    await enqueuer.flush();
  } finally {
    // Whatever ended it: the counts say what Redis has.
    await enqueuer.settled();
  }
}

async function settle(decisions: readonly DocumentDecision[], options: ProduceOptions): Promise<void> {
  const { counts, repeated } = options;
  await writeDirectly(decisions, options);
  for (const decision of decisions) {
    counts.documentsRead += 1;
    counts.chunksTotal += decision.chunkCount;
    counts.chunksSkipped += decision.skipped;
    counts.chunksPayloadUpdated += decision.payloadUpdates.length;
    counts.chunksReused += decision.reused.length;
    counts.tokensCut += decision.tokensCut;
    counts.tokensUnknown += decision.tokensUnknown;
    if (decision.change === 'new') counts.documentsNew += 1;
    else if (decision.change === 'changed') counts.documentsChanged += 1;
    else counts.documentsUnchanged += 1;
  }
  const toEmbed = decisions.flatMap((decision) => decision.toEmbed);
  options.awaited?.add(toEmbed);
  await options.enqueuer.add(toEmbed.filter((chunk) => !repeated.putOff(chunk)));
}

async function writeDirectly(
  decisions: readonly DocumentDecision[],
  { target, runSequence, signal }: ProduceOptions,
): Promise<void> {
  const reused = decisions.flatMap((decision) => decision.reused);
  if (reused.length > 0) await target.upsert(reused, { runSequence, signal });
  const payloadUpdates = decisions.flatMap((decision) => decision.payloadUpdates);
  if (payloadUpdates.length > 0) await target.updatePayloads(payloadUpdates, { runSequence, signal });
}

async function addDeadLetters(
  ledger: RunLedger,
  runId: string,
  deadLetters: readonly DeadLetter[],
): Promise<void> {
  if (deadLetters.length > 0) await ledger.addDeadLetters(runId, deadLetters);
}

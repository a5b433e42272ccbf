import { availableParallelism } from 'node:os';
import {
  assertFreeDisk,
  openStateFolder,
  Releasers,
  rememberModelPlace,
  type ResolvedModel,
  type RunSpec,
  type VectorStore,
} from '@embedline/core';
import { assertStableIds } from '../ingest/assert-stable-ids.ts';
import { ingest } from '../ingest/ingest.ts';
import type { IngestOptions } from '../ingest/ingest-options.ts';
import { startLocalWorkers, type LocalWorkers } from '../ingest/local-workers.ts';
import { choosePipelines } from '../pipeline/choose-pipelines.ts';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import {
  findPipeline,
  openPipeline,
  type FoundPipeline,
  type OpenPipeline,
} from '../pipeline/open-pipeline.ts';
import { rememberRate } from '../plan/measured-rates.ts';
import { renderSummary, summaryJson } from '../terminal/summary.ts';
import {
  EXIT,
  notice,
  openRunServices,
  openStore,
  printJson,
  printLine,
  type CommandContext,
  type RunServices,
} from './context.ts';
import { audit } from './audit.ts';
import { detach } from './detach.ts';
import { eachPipeline, type Presentation } from './each-pipeline.ts';
import type { IngestFlags } from '../command-line/options.ts';
import { planPipeline } from './plan.ts';
import { programsOf } from './programs-of.ts';
import { reportProgress } from './report-progress.ts';
import { tellForeignRuns } from './tell-foreign-runs.ts';
import { tellOutages } from './tell-outages.ts';

/** `embedline ingest`: makes the collections match their corpora, one after the other. @returns the exit code */
export async function ingestCommand(
  args: readonly string[],
  flags: IngestFlags,
  context: CommandContext,
): Promise<number> {
  const programs = programsOf(flags, context);
  const definitions = await choosePipelines(args, flags, context.cwd, programs);
  const json = flags.json === true;
  if (flags.detach === true) return detach(definitions, flags, context);
  return eachPipeline(definitions, { json, context }, async (definition) => {
    // A source or a model that is not there is told before anything is started.
    const pipeline = await findPipeline(definition, context);
    if (flags.dryRun === true) return planPipeline(pipeline, { json, context }, programs.names);
    return ingestPipeline(pipeline, { json, context });
  });
}

/** Ingests one pipeline, shows how it goes, and sums it up. @returns the exit code */
export async function ingestPipeline(found: FoundPipeline, { json, context }: Presentation): Promise<number> {
  const { config } = context;
  if (config.redisUrl === null || config.qdrantUrl === null) {
    openStateFolder(config.dataDirectory);
    await assertFreeDisk(config.dataDirectory);
  }
  await using releasers = new Releasers();
  releasers.add(() => found.close());
  for (const warning of found.modelFiles.warnings) notice(context, warning);
  const outages = tellOutages(context, (text) => progress.notice(text));
  const { patience } = outages;
  const store = await openStore(context, releasers, patience);
  const pipeline = await openPipeline(found, store, context.signal);
  await rememberModelPlace(config.dataDirectory, pipeline.model, config.modelsDirectory);
  await assertStableIds({ ...pipeline, store, signal: context.signal });
  if (pipeline.definition.deferIndexing && store.kind === 'sqlite')
    notice(context, 'The embedded store has no index to defer: --defer-indexing changes nothing here.');
  // Nobody but a person brings a private Redis back: that is told after a minute, not waited for.
  const isPrivate = config.redisUrl === null;
  const services = await openRunServices(context, releasers, {
    mayInstall: true,
    ...(isPrivate ? {} : { patience }),
  });
  await tellForeignRuns(context, services.runs, store);
  const startsWorkers = ownWorkerCount(pipeline.definition, context) > 0;
  const progress = reportProgress({ context, services, json, startsWorkers });
  releasers.add(() => progress.close());
  let started: RunSpec | null = null;
  try {
    const { progress: run, notices } = await ingest({
      ...ingestOptions(pipeline, store, services, context),
      onAudit: (event) => audit(context, event, { json }),
      onStart: (spec) => {
        started = spec;
        outages.recordFor(spec, services);
        progress.start(spec);
      },
      onNotice: (text) => progress.notice(text),
    });
    progress.finish(run);
    progress.close();
    for (const text of notices) notice(context, text);
    if (json) printJson(context.stdout, summaryJson(run, pipeline.corpus.report));
    else printLine(context.stdout, renderSummary(run, context.style, pipeline.corpus.report));
    await rememberRate(config.dataDirectory, run);
    return run.deadLetters > 0 ? EXIT.deadLetters : EXIT.done;
  } catch (error) {
    progress.close();
    await reportEnd(started, services, { json, context });
    throw error;
  }
}

/** What a run that ended early got done. */
async function reportEnd(
  spec: RunSpec | null,
  { ledger }: RunServices,
  { json, context }: Presentation,
): Promise<void> {
  const run = spec === null ? null : await ledger.progress(spec.runId).catch(() => null);
  if (run === null) return;
  if (json) printJson(context.stdout, summaryJson(run));
  else printLine(context.stderr, renderSummary(run, context.errorStyle));
}

function ingestOptions(
  { definition, model, corpus, chunk, fingerprint }: OpenPipeline,
  store: VectorStore,
  services: RunServices,
  context: CommandContext,
): Omit<IngestOptions, 'onStart' | 'onNotice' | 'onAudit'> {
  const { name, collection, rebuild, reuse, partial, sweepIncomplete, keepGenerations, wait } = definition;
  const { maxQueuedBatches, maxQueuedBytes, deferIndexing } = definition;
  return {
    ...services,
    store,
    prefix: context.config.prefix,
    pipeline: name,
    collection,
    model: model.spec,
    embedTitle: definition.embedTitle,
    fingerprint,
    corpus,
    onDuplicate: definition.onDuplicate,
    chunk,
    queueLimits: { maxQueuedBatches, maxQueuedBytes },
    rebuild,
    reuse,
    partial,
    deferIndexing,
    maxDeleteShare: definition.maxDelete,
    maxGivenUpShare: definition.maxGivenUp,
    sweepIncomplete,
    keepGenerations,
    wait,
    startWorkers: (run) => workersFor(run, { definition, model, services, context }),
    signal: context.signal,
  };
}

interface WorkersWanted {
  readonly definition: PipelineDefinition;
  readonly model: ResolvedModel;
  readonly services: RunServices;
  readonly context: CommandContext;
}

function ownWorkerCount({ workers }: PipelineDefinition, { config }: CommandContext): number {
  return workers ?? (config.redisUrl === null ? availableParallelism() : 0);
}

function workersFor(
  { runId }: RunSpec,
  { definition, model, services: { lease }, context }: WorkersWanted,
): LocalWorkers | null {
  const { config } = context;
  const count = ownWorkerCount(definition, context);
  if (count === 0) return null;
  const workers = startLocalWorkers({
    runId,
    count,
    config,
    lease,
    modelsDirectory: model.modelsDirectory,
  });
  context.onSecondSignal(() => workers.kill());
  // They hand back what they have while the run's end is recorded.
  context.signal.addEventListener('abort', () => void workers.close(), { once: true });
  return workers;
}

import { availableParallelism } from 'node:os';
import {
  assertCollectionName,
  createChunker,
  EmbedlineError,
  loadTokenCounter,
  parseChunkingOptions,
  pipelineFingerprint,
  Releasers,
  resolveModel,
  type ChunkingOptions,
  type ModelSpec,
  type ResolvedModel,
  type RunSpec,
} from '@embedline/core';
import { ZodError } from 'zod';
import { ingest, type IngestOptions } from '../ingest/ingest.ts';
import { startLocalWorkers, type LocalWorkers } from '../ingest/local-workers.ts';
import { Corpus } from '../readers/corpus.ts';
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
import type { IngestFlags } from './ingest-options.ts';
import { reportProgress } from './report-progress.ts';

/** `embedline ingest`: makes the collection match the corpus. @returns the exit code */
export async function ingestCommand(
  sources: readonly string[],
  flags: IngestFlags,
  context: CommandContext,
): Promise<number> {
  assertUsable(sources, flags);
  await using releasers = new Releasers();
  const model = await findModel(flags, context);
  const chunking = chunkingOf(flags, model.spec);
  const corpus = openCorpus(sources, flags, context);
  // A source that is not there is told before anything is started.
  await corpus.survey();
  const store = await openStore(context, releasers);
  const services = await openRunServices(context, releasers);
  const progress = reportProgress({ context, services, json: flags.json === true });
  releasers.add(() => progress.close());
  const startWorkers = () => workersFor(flags, model, services, context);
  let started: RunSpec | null = null;
  try {
    const { progress: run, notices } = await ingest({
      ...options(flags, model.spec, chunking),
      ...services,
      prefix: context.config.prefix,
      store,
      corpus,
      chunk: createChunker(chunking, await loadTokenCounter(model)),
      startWorkers,
      signal: context.signal,
      onStart: (spec) => {
        started = spec;
        progress.start(spec);
      },
      onNotice: (text) => progress.notice(text),
    });
    progress.close();
    for (const text of notices) notice(context, text);
    if (flags.json === true) printJson(context.stdout, summaryJson(run));
    else printLine(context.stdout, renderSummary(run, context.style));
    return run.deadLetters > 0 ? EXIT.deadLetters : EXIT.done;
  } catch (error) {
    progress.close();
    await reportEnd(started, flags, services, context);
    throw error;
  }
}

/** What a run that ended early got done. */
async function reportEnd(
  spec: RunSpec | null,
  flags: IngestFlags,
  { ledger }: RunServices,
  { stdout, stderr, errorStyle }: CommandContext,
): Promise<void> {
  const run = spec === null ? null : await ledger.progress(spec.runId).catch(() => null);
  if (run === null) return;
  if (flags.json === true) printJson(stdout, summaryJson(run));
  else printLine(stderr, renderSummary(run, errorStyle));
}

function assertUsable(sources: readonly string[], flags: IngestFlags): void {
  if (sources.length === 0) {
    throw new EmbedlineError(
      'USAGE',
      'Nothing to ingest: name files, directories, globs, or - for standard input.',
    );
  }
  assertCollectionName(flags.collection);
  if (flags.pipeline === undefined || /^[\w.-]{1,100}$/.test(flags.pipeline)) return;
  throw new EmbedlineError(
    'USAGE',
    `Pipeline name ${JSON.stringify(flags.pipeline)} is not usable: take 1 to 100 letters, digits, '_', '.' or '-'.`,
  );
}

export function findModel(
  flags: Pick<IngestFlags, 'model' | 'dtype' | 'modelRevision'>,
  { config }: CommandContext,
): Promise<ResolvedModel> {
  return resolveModel({
    id: flags.model,
    dtype: flags.dtype,
    revision: flags.modelRevision,
    modelsDirectory: config.modelsDirectory,
    dataDirectory: config.dataDirectory,
    // The user has named the model: what is not here may be fetched.
    allowRemote: true,
  });
}

function chunkingOf(flags: IngestFlags, model: ModelSpec): ChunkingOptions {
  try {
    return parseChunkingOptions(
      { maxTokens: flags.chunkTokens, overlapTokens: flags.overlapTokens },
      model.maxTokens,
    );
  } catch (cause) {
    if (!(cause instanceof ZodError)) throw cause;
    throw new EmbedlineError(
      'USAGE',
      `--chunk-tokens or --overlap-tokens: ${cause.issues.map(({ message }) => message).join('; ')}.`,
      { cause },
    );
  }
}

function openCorpus(sources: readonly string[], flags: IngestFlags, { stdin }: CommandContext): Corpus {
  const { idField, textField, titleField, metadataFields, format } = flags;
  const { maxLineBytes, maxDocumentBytes, maxGzipRatio } = flags;
  return new Corpus({
    sources,
    cwd: process.cwd(),
    format,
    stdin,
    idField,
    textField,
    titleField,
    metadataFields,
    limits: { maxLineBytes, maxDocumentBytes, maxGzipRatio, maxMetadataBytes: 64 * 1024 },
  });
}

function options(flags: IngestFlags, model: ModelSpec, chunking: ChunkingOptions) {
  const { collection, pipeline = collection, maxDelete, keepGenerations } = flags;
  return {
    collection,
    pipeline,
    model,
    fingerprint: pipelineFingerprint(chunking),
    rebuild: flags.rebuild === true,
    maxDeleteShare: maxDelete,
    sweepIncomplete: flags.sweepIncomplete === true,
    keepGenerations,
    wait: flags.wait === true,
  } satisfies Partial<IngestOptions>;
}

function workersFor(
  flags: IngestFlags,
  model: ResolvedModel,
  { lease }: RunServices,
  context: CommandContext,
): LocalWorkers | null {
  const { config } = context;
  const count = flags.workers ?? (config.redisUrl === null ? availableParallelism() : 0);
  if (count === 0) return null;
  const workers = startLocalWorkers({
    count,
    config,
    redisUrl: lease.url,
    modelsDirectory: model.modelsDirectory,
  });
  context.onSecondSignal(() => workers.kill());
  return workers;
}

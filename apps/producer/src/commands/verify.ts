import { EmbedlineError, Releasers, type Generation, type VectorStore } from '@embedline/core';
import { changePoints } from '../ingest/change-documents.ts';
import { chooseGeneration } from '../ingest/choose-generation.ts';
import { liveGeneration } from '../ingest/live-generation.ts';
import { choosePipelines } from '../pipeline/choose-pipelines.ts';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import { findPipeline, openPipeline, type OpenPipeline } from '../pipeline/open-pipeline.ts';
import { describeModel } from '../terminal/describe-model.ts';
import { createLiveArea } from '../terminal/live-area.ts';
import { readingLine } from '../terminal/reading-line.ts';
import { renderVerification, verificationJson } from '../terminal/verification.ts';
import { verdictOf, verify, type Verification } from '../verify/verify.ts';
import {
  EXIT,
  notice,
  openRunServices,
  openStore,
  openStoreForReading,
  printJson,
  printLine,
} from './context.ts';
import { audit } from './audit.ts';
import { programsOf } from './programs-of.ts';
import { eachPipeline, type Presentation } from './each-pipeline.ts';
import type { CommandContext } from './context.ts';
import type { IngestFlags } from '../command-line/options.ts';
import { ingestPipeline } from './ingest.ts';

export type VerifyFlags = IngestFlags & {
  readonly repair?: true;
  readonly sample: number;
  readonly minCosine: number;
};

/** `embedline verify`: is the collection what the corpus says? @returns the exit code */
export async function verifyCommand(
  args: readonly string[],
  flags: VerifyFlags,
  context: CommandContext,
): Promise<number> {
  const programs = programsOf(flags, context);
  const definitions = await choosePipelines(args, flags, context.cwd, programs);
  if (flags.repair === true) assertRereadable(definitions);
  const shown = { json: flags.json === true, context };
  return eachPipeline(definitions, shown, (definition) => verifyPipeline(definition, flags, shown));
}

async function verifyPipeline(
  definition: PipelineDefinition,
  flags: VerifyFlags,
  shown: Presentation,
): Promise<number> {
  const found = await look(definition, flags, shown);
  if (flags.repair !== true || verdictOf(found) !== 'unsound') return exitCode(found);
  await deleteWrongPoints(found, definition, shown.context);
  const repaired = await ingestPipeline(await findPipeline(definition, shown.context), shown);
  if (repaired === EXIT.failed) return repaired;
  return exitCode(await look(definition, flags, shown));
}

/** Verifies once, and prints what was found. */
async function look(
  definition: PipelineDefinition,
  flags: VerifyFlags,
  { json, context }: Presentation,
): Promise<Verification> {
  await using releasers = new Releasers();
  const found = releasers.own(await findPipeline(definition, context));
  const store = await openStoreForReading(context, releasers);
  const pipeline = await openPipeline(found, store, context.signal);
  const generation = await verifiable(pipeline, store);
  const total = (await pipeline.corpus.survey()).bytes;
  const area = createLiveArea(context.stderr, context.errorStyle);
  releasers.add(() => area.close());
  const verification = await verify({
    pipeline,
    generation,
    store,
    sampleSize: flags.sample,
    minCosine: flags.minCosine,
    instructionSet: context.config.kernelInstructionSet,
    signal: context.signal,
    onProgress: (read) => {
      if (!json) area.update(readingLine({ ...read, total }, context.errorStyle));
    },
  });
  area.close();
  if (json) printJson(context.stdout, verificationJson(definition.name, verification));
  else printLine(context.stdout, renderVerification(definition.name, verification, context.style));
  return verification;
}

/** @throws EmbedlineError COLLECTION_NOT_FOUND; COLLECTION_INCOMPATIBLE when nothing in it could be as the pipeline makes it */
async function verifiable(
  { definition, model, fingerprint }: OpenPipeline,
  store: VectorStore,
): Promise<Generation> {
  const { collection, name } = definition;
  const live = await liveGeneration(store, collection);
  const wanted = {
    collection,
    pipeline: name,
    model: model.spec,
    fingerprint,
    rebuild: false,
    partial: false,
  };
  const { plan } = await chooseGeneration(store, wanted);
  if (plan.kind === 'in-place') return live;
  throw new EmbedlineError(
    'COLLECTION_INCOMPATIBLE',
    `${live.name} was made with another model or chunking than this (it has ${describeModel(live.manifest.model)}). ` +
      `Verify it with the options that made it, or ingest, which builds a new generation.`,
  );
}

/** Their hashes say that they are right, so an ingest would leave them; one that is missing it makes again. */
async function deleteWrongPoints(
  { vectors, altered }: Verification,
  { collection, name, wait }: PipelineDefinition,
  context: CommandContext,
): Promise<void> {
  const wrong = [...new Set([...vectors.wrong, ...altered.sample].map(({ id }) => id))];
  if (wrong.length === 0) return;
  await using releasers = new Releasers();
  const store = await openStore(context, releasers);
  const { redis } = await openRunServices(context, releasers);
  const options = {
    store,
    redis,
    prefix: context.config.prefix,
    collection,
    pipeline: name,
    doing: 'a repair',
    wait,
    signal: context.signal,
    onNotice: (text: string) => notice(context, text),
  };
  await changePoints(options, (points, write) => points.delete(wrong, write));
  audit(context, {
    action: 'points-deleted',
    command: 'verify --repair',
    collection,
    pipeline: name,
    counts: { points: wrong.length },
  });
}

function assertRereadable(definitions: readonly PipelineDefinition[]): void {
  if (!definitions.some(({ sources }) => sources.includes('-'))) return;
  throw new EmbedlineError(
    'USAGE',
    'Standard input can be read only once, and --repair reads the corpus again. Put it into a file.',
  );
}

const EXIT_CODES = { sound: EXIT.done, unsound: EXIT.failed, unknown: EXIT.deadLetters } as const;

function exitCode(found: Verification): number {
  return EXIT_CODES[verdictOf(found)];
}

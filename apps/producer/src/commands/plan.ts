import { Releasers } from '@embedline/core';
import { assertStableIds } from '../ingest/assert-stable-ids.ts';
import { choosePipelines } from '../pipeline/choose-pipelines.ts';
import { findPipeline, openPipeline, type FoundPipeline } from '../pipeline/open-pipeline.ts';
import { measuredRate } from '../plan/measured-rates.ts';
import { makePlan } from '../plan/plan.ts';
import { createLiveArea } from '../terminal/live-area.ts';
import { planJson, renderPlan } from '../terminal/plan.ts';
import { readingLine } from '../terminal/reading-line.ts';
import { EXIT, notice, openStoreForReading, printJson, printLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { programsOf } from './programs-of.ts';
import { eachPipeline, type Presentation } from './each-pipeline.ts';
import type { IngestFlags } from '../command-line/options.ts';

/** `embedline plan`: what an ingest would do. Writes nothing itself, and needs no Redis. @returns the exit code */
export async function planCommand(
  args: readonly string[],
  flags: IngestFlags,
  context: CommandContext,
): Promise<number> {
  const programs = programsOf(flags, context);
  const definitions = await choosePipelines(args, flags, context.cwd, programs);
  const json = flags.json === true;
  return eachPipeline(definitions, { json, context }, async (definition) =>
    planPipeline(await findPipeline(definition, context), { json, context }, programs.names),
  );
}

/** @param ran programs of the configuration that were run for it */
export async function planPipeline(
  found: FoundPipeline,
  { json, context }: Presentation,
  ran: readonly string[],
): Promise<number> {
  await using releasers = new Releasers();
  releasers.add(() => found.close());
  const { config, signal, stdout, stderr, style, errorStyle } = context;
  for (const warning of found.modelFiles.warnings) notice(context, warning);
  const startedAtMs = performance.now();
  const store = await openStoreForReading(context, releasers);
  const pipeline = await openPipeline(found, store, signal);
  await assertStableIds({ ...pipeline, store, signal });
  const total = (await pipeline.corpus.survey()).bytes;
  const area = createLiveArea(stderr, errorStyle);
  releasers.add(() => area.close());
  const onProgress = (read: { bytes: number; documents: number }) => {
    if (!json) area.update(readingLine({ ...read, total }, errorStyle));
  };
  const plan = await makePlan({ pipeline, store, signal, onProgress });
  area.close();
  const rate = await measuredRate(config.dataDirectory, pipeline.model);
  const seconds = (performance.now() - startedAtMs) / 1000;
  if (json) printJson(stdout, { ...planJson(plan, { rate, seconds }), ran });
  else printLine(stdout, renderPlan(plan, { rate, ran, style }));
  // As the ingest would end, as far as it can be known before.
  if (plan.withheld?.fails === true) return EXIT.failed;
  return plan.deadLetters > 0 ? EXIT.deadLetters : EXIT.done;
}

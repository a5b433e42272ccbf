import type { GenerationPoints, SearchFilter } from '@embedline/core';
import { EmbedlineError, Releasers } from '@embedline/core/base';
import { createEmbedder, parseFilters } from '@embedline/core/search';
import { liveGeneration } from '../ingest/live-generation.ts';
import { findCollectionModel } from '../pipeline/find-collection-model.ts';
import { explainEmptySearch } from '../search/explain-empty-search.ts';
import { hitJson, renderHits } from '../terminal/hits.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import { openStoreForReading } from './open-store.ts';
import { notice, printJson, printLine } from './printing.ts';

export interface SearchFlags {
  readonly collection: string;
  readonly limit: number;
  readonly filter: readonly string[];
  readonly exact?: true;
  readonly model?: string;
  readonly json?: true;
}

/** `embedline search`: the chunks nearest to a text. Starts no Redis. @returns the exit code */
export async function searchCommand(
  text: string,
  flags: SearchFlags,
  context: CommandContext,
): Promise<number> {
  if (text.trim() === '') throw new EmbedlineError('USAGE', 'The search text is empty.');
  const filter = parseFilters(flags.filter);
  await using releasers = new Releasers();
  const { signal } = context;
  const store = await openStoreForReading(context, releasers);
  const generation = await liveGeneration(store, flags.collection);
  const model = await findCollectionModel(generation, flags.model, context);
  const points = releasers.own(await store.open(generation, { signal }));
  const embedder = releasers.own(
    await createEmbedder(model, { processes: 1, instructionSet: context.config.kernelInstructionSet }),
  );
  if (embedder.countTokens(text) === 0)
    throw new EmbedlineError(
      'USAGE',
      'The search text holds nothing that the model can read: invisible characters only.',
    );
  const { vectors, truncated } = await embedder.embed([model.spec.queryPrefix + text], { signal });
  if (truncated?.[0] === true)
    notice(
      context,
      `The search text is longer than the ${model.spec.maxTokens} tokens that the model takes: what is beyond them was not searched for.`,
    );
  const [vector] = vectors;
  if (vector === undefined) throw new Error('The embedder returned no vector. This is a bug in embedline.');
  const damaged: string[] = [];
  const hits = await points.search({
    vector,
    limit: flags.limit,
    filter,
    exact: flags.exact === true,
    onDamaged: (id) => damaged.push(id),
    signal,
  });
  if (flags.json === true) for (const hit of hits) printJson(context.stdout, hitJson(hit));
  else printLine(context.stdout, renderHits(text, hits, context.style));
  if (damaged.length > 0) notice(context, describeDamaged(damaged, flags.collection));
  if (hits.length === 0) await explainEmpty(points, filter, context);
  return EXIT.done;
}

function describeDamaged(ids: readonly string[], collection: string): string {
  const points =
    ids.length === 1 ? `Point ${ids[0]} was` : `${ids.length} points (${ids[0]} and others) were`;
  return `${points} left out: embedline cannot have written what is stored there. Check ${collection} with embedline verify --repair.`;
}

/** On stderr, so that programs that read the hits are not disturbed. */
async function explainEmpty(
  points: GenerationPoints,
  filter: SearchFilter,
  context: CommandContext,
): Promise<void> {
  const reasons = await explainEmptySearch(points, filter, context.signal);
  for (const reason of reasons) notice(context, reason);
}

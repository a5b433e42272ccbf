import {
  createEmbedder,
  EmbedlineError,
  Releasers,
  resolveModel,
  sameModel,
  type Generation,
  type MetadataScalar,
  type ResolvedModel,
  type SearchFilter,
} from '@embedline/core';
import { liveGeneration } from '../ingest/live-generation.ts';
import { hitJson, renderHits } from '../terminal/hits.ts';
import { openStoreForReading, printJson, printLine, EXIT, type CommandContext } from './context.ts';

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
  const model = await modelOf(generation, flags, context);
  const points = releasers.own(await store.open(generation, { signal }));
  const embedder = releasers.own(await createEmbedder(model, { processes: 1 }));
  const { vectors } = await embedder.embed([model.spec.queryPrefix + text], { signal });
  const [vector] = vectors;
  if (vector === undefined) throw new Error('The embedder returned no vector. This is a bug in embedline.');
  const hits = await points.search({
    vector,
    limit: flags.limit,
    filter,
    exact: flags.exact === true,
    signal,
  });
  if (flags.json === true) for (const hit of hits) printJson(context.stdout, hitJson(hit));
  else printLine(context.stdout, renderHits(text, hits, context.style));
  return EXIT.done;
}

async function modelOf(
  { manifest, collection }: Generation,
  flags: SearchFlags,
  { config }: CommandContext,
): Promise<ResolvedModel> {
  const { model } = manifest;
  const { modelsDirectory, dataDirectory } = config;
  const resolved = await resolveModel({
    id: flags.model ?? model.id,
    dtype: model.dtype,
    revision: model.revision,
    modelsDirectory,
    dataDirectory,
    allowRemote: flags.model !== undefined,
  });
  if (sameModel(resolved.spec, model)) return resolved;
  throw new EmbedlineError(
    'MODEL_MISMATCH',
    `Collection ${collection} was made with ${model.id} (${model.hash.slice(0, 12)}, ${model.dtype}), the model here is ` +
      `${resolved.spec.id} (${resolved.spec.hash.slice(0, 12)}). Put that model below ${modelsDirectory}, or name it with --model.`,
  );
}

/**
 * `year=2009` compares with a number, `name="2009"` with a text; true, false and null are themselves.
 * @throws EmbedlineError USAGE
 */
export function parseFilters(filters: readonly string[]): SearchFilter {
  const entries = filters.map((filter): [string, MetadataScalar] => {
    const at = filter.indexOf('=');
    if (at > 0) return [filter.slice(0, at).trim(), parseValue(filter.slice(at + 1).trim())];
    throw new EmbedlineError(
      'USAGE',
      `Filter ${JSON.stringify(filter)} is not of the form FIELD=VALUE, e.g. --filter year=2009.`,
    );
  });
  return Object.fromEntries(entries);
}

function parseValue(text: string): MetadataScalar {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'null') return null;
  const quoted = /^"(.*)"$/s.exec(text)?.[1];
  if (quoted !== undefined) return quoted;
  return text !== '' && String(Number(text)) === text && Number.isFinite(Number(text)) ? Number(text) : text;
}

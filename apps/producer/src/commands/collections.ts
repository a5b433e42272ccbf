import { EmbedlineError, Releasers, type Generation, type VectorStore } from '@embedline/core';
import { formatCount } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';
import {
  EXIT,
  openStore,
  openStoreForReading,
  printJson,
  printLine,
  type CommandContext,
} from './context.ts';

export interface CollectionsFlags {
  readonly json?: true;
}

/** `embedline collections list`: every generation of every collection. @returns the exit code */
export async function listCollections(flags: CollectionsFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const store = await openStoreForReading(context, releasers);
  const rows = [];
  for (const generation of await store.generations())
    rows.push({ generation, points: await countPoints(store, generation) });
  if (flags.json === true) {
    for (const { generation, points } of rows) printJson(context.stdout, generationJson(generation, points));
    return EXIT.done;
  }
  if (rows.length === 0) printLine(context.stdout, `No collections in ${store.location} yet.`);
  else printLine(context.stdout, render(rows));
  return EXIT.done;
}

/** `embedline collections rollback`: readers see the generation before the live one again. @returns the exit code */
export async function rollbackCollection(collection: string, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const store = await openStore(context, releasers);
  const generations = await existing(store, collection);
  const live = generations.find((generation) => generation.live);
  const previous = generations.findLast(({ number }) => number < (live?.number ?? Infinity));
  if (previous === undefined) {
    throw new EmbedlineError(
      'COLLECTION_NOT_FOUND',
      `Collection ${collection} has no generation before ${live?.name ?? 'the one being built'} to go back to.`,
    );
  }
  await store.publish(previous);
  printLine(
    context.stdout,
    `${collection} is ${previous.name} again${live === undefined ? '' : `; ${live.name} is kept`}.`,
  );
  return EXIT.done;
}

/** `embedline collections drop`: deletes every generation of a collection. @returns the exit code */
export async function dropCollection(collection: string, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const store = await openStore(context, releasers);
  const generations = await existing(store, collection);
  for (const generation of generations) await store.dropGeneration(generation);
  printLine(context.stdout, `Dropped ${collection}: ${generations.map(({ name }) => name).join(', ')}.`);
  return EXIT.done;
}

async function existing(store: VectorStore, collection: string): Promise<readonly Generation[]> {
  const generations = await store.generations(collection);
  if (generations.length > 0) return generations;
  throw new EmbedlineError(
    'COLLECTION_NOT_FOUND',
    `There is no collection ${JSON.stringify(collection)} in ${store.location}. See: embedline collections list`,
  );
}

async function countPoints(store: VectorStore, generation: Generation): Promise<number> {
  const points = await store.open(generation);
  try {
    return await points.count();
  } finally {
    await points.close();
  }
}

function generationJson({ collection, name, live, manifest }: Generation, points: number): object {
  return {
    name: collection,
    generation: name,
    live,
    points,
    model: manifest.model.id,
    createdAt: manifest.createdAt,
  };
}

function render(rows: readonly { generation: Generation; points: number }[]): string {
  return renderTable(
    [
      { header: 'COLLECTION' },
      { header: 'GENERATION' },
      { header: 'LIVE' },
      { header: 'POINTS', align: 'right' },
      { header: 'MODEL' },
      { header: 'CREATED' },
    ],
    rows.map(({ generation: { collection, name, live, manifest }, points }) => [
      collection,
      name,
      live ? 'live' : '',
      formatCount(points),
      `${manifest.model.id} ${manifest.model.dtype}`,
      manifest.createdAt.replace('T', ' ').slice(0, 16),
    ]),
  );
}

import { hostname } from 'node:os';
import {
  EmbedlineError,
  isEmbedlineError,
  Releasers,
  type Generation,
  type VectorStore,
} from '@embedline/core';
import { claimCollection, type CollectionClaim } from '../ingest/claim-collection.ts';
import { confirm, isTerminal } from '../terminal/confirm.ts';
import { describeModel } from '../terminal/describe-model.ts';
import { formatCount } from '../terminal/format.ts';
import type { Style } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { audit } from './audit.ts';
import {
  EXIT,
  notice,
  openRunServices,
  openStore,
  openStoreForReading,
  printJson,
  printLine,
  type CommandContext,
} from './context.ts';

export interface CollectionsFlags {
  readonly json?: true;
}

export interface ChangeCollectionFlags extends CollectionsFlags {
  /** Wait for an ingest instead of failing. */
  readonly wait?: true;
}

export interface DropCollectionFlags extends ChangeCollectionFlags {
  /** Do not ask. */
  readonly yes?: true;
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
  else printLine(context.stdout, render(rows, context.style));
  return EXIT.done;
}

/** `embedline collections rollback`: readers see the generation before the live one again. @returns the exit code */
export async function rollbackCollection(
  collection: string,
  flags: ChangeCollectionFlags,
  context: CommandContext,
): Promise<number> {
  await using releasers = new Releasers();
  const store = await openStore(context, releasers);
  const claimed = await claim(collection, { store, flags, doing: 'a rollback' }, context, releasers);
  const live = claimed.generations.find((generation) => generation.live);
  const previous = claimed.generations.findLast((generation) => isBefore(generation, live));
  if (live === undefined || previous === undefined) throw nothingBefore(collection, live);
  // Before readers are sent there: a generation whose points are gone or damaged cannot be opened.
  const points = await openAndCount(store, previous);
  const pointsNow = await countPoints(store, live);
  await store.publish(previous, { signal: claimed.signal });
  audit(context, {
    action: 'rolled-back',
    command: 'collections rollback',
    collection,
    generations: [live.name, previous.name],
    counts: { pointsBefore: pointsNow ?? 0, pointsAfter: points },
  });
  if (flags.json === true)
    printJson(context.stdout, {
      type: 'rollback',
      name: collection,
      generation: previous.name,
      points,
      kept: live.name,
    });
  else printLine(context.stdout, `${collection} is ${previous.name} again; ${live.name} is kept.`);
  if (pointsNow !== null && points < pointsNow)
    notice(
      context,
      `Readers see ${formatCount(points)} points now, where they saw ${formatCount(pointsNow)} before. The next ingest of each ` +
        `pipeline of ${collection} brings its own up to date.`,
    );
  return EXIT.done;
}

/** `embedline collections drop`: deletes every generation of a collection. @returns the exit code */
export async function dropCollection(
  collection: string,
  flags: DropCollectionFlags,
  context: CommandContext,
): Promise<number> {
  await using releasers = new Releasers();
  const store = await openStore(context, releasers);
  await assertExists(store, collection);
  if (flags.yes !== true && !(await mayDrop(collection, context))) {
    printLine(context.stderr, 'Nothing was dropped.');
    return EXIT.failed;
  }
  const claimed = await claim(collection, { store, flags, doing: 'its removal' }, context, releasers);
  // The live one last: cut off in between, readers still see a whole collection.
  const order = claimed.generations.toSorted((a, b) => Number(a.live) - Number(b.live));
  for (const generation of order) await store.dropGeneration(generation, { signal: claimed.signal });
  const names = claimed.generations.map(({ name }) => name);
  audit(context, {
    action: 'generations-dropped',
    command: 'collections drop',
    collection,
    generations: names,
    counts: { generations: names.length },
  });
  if (flags.json === true)
    printJson(context.stdout, { type: 'dropped', name: collection, generations: names });
  else printLine(context.stdout, `Dropped ${collection}: ${names.join(', ')}.`);
  return EXIT.done;
}

/** @throws EmbedlineError USAGE where nobody can be asked */
async function mayDrop(collection: string, context: CommandContext): Promise<boolean> {
  if (!isTerminal(context.stdin)) {
    throw new EmbedlineError(
      'USAGE',
      `This deletes every generation of ${collection}, and nothing brings them back. Add --yes if that is meant.`,
    );
  }
  return confirm(`Delete every generation of ${collection}? Nothing brings them back.`, context);
}

/** No ingest changes the collection meanwhile. */
async function claim(
  collection: string,
  { store, flags, doing }: { store: VectorStore; flags: ChangeCollectionFlags; doing: string },
  context: CommandContext,
  releasers: Releasers,
): Promise<CollectionClaim> {
  // Told before a Redis is started for it.
  await assertExists(store, collection);
  const { redis } = await openRunServices(context, releasers);
  const owner = { host: hostname(), pid: process.pid, runId: '', doing };
  const claimed = await claimCollection(collection, owner, {
    store,
    redis,
    prefix: context.config.prefix,
    wait: flags.wait === true,
    signal: context.signal,
    onNotice: (text) => notice(context, text),
  });
  return releasers.own(claimed);
}

async function assertExists(store: VectorStore, collection: string): Promise<void> {
  if ((await store.generations(collection)).length > 0) return;
  throw new EmbedlineError(
    'COLLECTION_NOT_FOUND',
    `There is no collection ${JSON.stringify(collection)} in ${store.location}. See: embedline collections list`,
  );
}

/** One that readers have never seen may be half a build. */
function isBefore({ number, manifest }: Generation, live: Generation | undefined): boolean {
  return live !== undefined && number < live.number && manifest.publishedAt !== undefined;
}

function nothingBefore(collection: string, live: Generation | undefined): EmbedlineError {
  return new EmbedlineError(
    'COLLECTION_NOT_FOUND',
    live === undefined
      ? `Collection ${collection} was never published: its first ingest has not finished. Run that again.`
      : `Collection ${collection} has no generation before ${live.name} to go back to. ` +
          `How many are kept is said at ingest (--keep-generations).`,
  );
}

/** @returns null for one whose points are gone or damaged, so that the others are listed all the same */
async function countPoints(store: VectorStore, generation: Generation): Promise<number | null> {
  return openAndCount(store, generation).catch((error: unknown) => {
    if (isEmbedlineError(error, 'COLLECTION_NOT_FOUND') || isEmbedlineError(error, 'STORE_UNSUITABLE'))
      return null;
    throw error;
  });
}

async function openAndCount(store: VectorStore, generation: Generation): Promise<number> {
  const points = await store.open(generation);
  try {
    return await points.count();
  } finally {
    await points.close();
  }
}

function generationJson({ collection, name, live, manifest }: Generation, points: number | null): object {
  return {
    name: collection,
    generation: name,
    live,
    points,
    model: manifest.model.id,
    engine: manifest.model.engine ?? null,
    createdAt: manifest.createdAt,
    publishedAt: manifest.publishedAt ?? null,
  };
}

function render(rows: readonly { generation: Generation; points: number | null }[], style: Style): string {
  return renderTable(
    [
      { header: 'COLLECTION' },
      { header: 'GENERATION', whole: true },
      { header: 'STATE' },
      { header: 'POINTS', align: 'right' },
      { header: 'MODEL' },
      { header: 'CREATED' },
    ],
    rows.map(({ generation: { collection, name, live, manifest }, points }) => [
      collection,
      name,
      live ? 'live' : manifest.publishedAt === undefined ? 'unfinished' : 'kept',
      points === null ? 'lost' : formatCount(points),
      describeModel(manifest.model),
      manifest.createdAt.replace('T', ' ').slice(0, 16),
    ]),
    style,
  );
}

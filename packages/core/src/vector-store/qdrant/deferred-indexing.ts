import { setTimeout as delay } from 'node:timers/promises';
import type { Schemas } from '@qdrant/js-client-rest';
import { z } from 'zod';
import { EmbedlineError } from '../../errors.ts';
import type { PublishOptions } from '../vector-store.ts';
import type { QdrantConnection } from './connection.ts';

/** Holds what `hnsw_config.m` was before; in the collection itself, so that it outlives whoever put indexing off. */
const DEFERRED_KEY = 'embedline_deferred_hnsw_m';
/** m of 0 switches the graph off, and nothing else: segments are still merged and moved out of memory. */
const NO_GRAPH = 0;

const POLL_MS = 500;
const TELL_EVERY_MS = 10_000;
/** The server takes a moment to find out that there is work: green counts when it stays. */
const GREEN_LOOKS = 3;
/** One graph may take long, and shows no progress meanwhile. */
const STALLED_AFTER_MS = 60 * 60 * 1000;

const deferredSchema = z.object({ [DEFERRED_KEY]: z.int().positive().max(10_000) });

/** Builds no HNSW graph while a new collection is loaded; {@link resumeIndexing} puts back what was there before. */
export async function deferIndexing(
  connection: QdrantConnection,
  name: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { config } = await look(connection, name, signal);
  // Noted before it is changed: cut off in between, the collection is indexed as it was.
  await update(connection, name, { metadata: { [DEFERRED_KEY]: config.hnsw_config.m } }, signal);
  await update(connection, name, { hnsw_config: { m: NO_GRAPH } }, signal);
}

/**
 * Puts back what {@link deferIndexing} changed, whoever called it and when, and returns when the index is built; at once
 * for a collection whose indexing was never put off. Cut off, it is done again by the next call.
 * @throws EmbedlineError INDEXING_STALLED, STORE_UNSUITABLE
 */
export async function resumeIndexing(
  connection: QdrantConnection,
  name: string,
  options: PublishOptions & { readonly pollMs?: number; readonly stalledAfterMs?: number },
): Promise<void> {
  const { signal } = options;
  const { config } = await look(connection, name, signal);
  const deferred = deferredSchema.safeParse(config.metadata);
  if (!deferred.success) return;
  await update(connection, name, { hnsw_config: { m: deferred.data[DEFERRED_KEY] } }, signal);
  await untilIndexed(connection, name, options);
  await update(connection, name, { metadata: { [DEFERRED_KEY]: null } }, signal);
}

async function untilIndexed(
  connection: QdrantConnection,
  name: string,
  {
    signal,
    onWaiting,
    pollMs = POLL_MS,
    stalledAfterMs = STALLED_AFTER_MS,
  }: Parameters<typeof resumeIndexing>[2],
): Promise<void> {
  let [greenLooks, before, changedAtMs, toldAtMs] = [0, '', Date.now(), -Infinity];
  while (greenLooks < GREEN_LOOKS) {
    const info = await look(connection, name, signal);
    if (info.status === 'red') throw failed(name, info);
    greenLooks = info.status === 'green' ? greenLooks + 1 : 0;
    const { indexed_vectors_count: indexed, points_count: points, segments_count: segments } = info;
    const state = JSON.stringify([info.status, indexed, segments]);
    if (state !== before) [before, changedAtMs] = [state, Date.now()];
    if (Date.now() - changedAtMs > stalledAfterMs) throw stalled(name, info, stalledAfterMs);
    if (greenLooks === 0 && Date.now() - toldAtMs > TELL_EVERY_MS) {
      onWaiting?.(`Qdrant builds the index of ${name}: ${indexed ?? 0} of ${points ?? 0} vectors`);
      toldAtMs = Date.now();
    }
    await delay(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}

function look(
  connection: QdrantConnection,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Schemas['CollectionInfo']> {
  return connection.call(`a look at ${name}`, (client) => client.getCollection(name), { signal });
}

async function update(
  connection: QdrantConnection,
  name: string,
  change: Schemas['UpdateCollection'],
  signal: AbortSignal | undefined,
): Promise<void> {
  await connection.call(`an update of ${name}`, (client) => client.updateCollection(name, change), {
    signal,
  });
}

function failed(name: string, { optimizer_status: status }: Schemas['CollectionInfo']): EmbedlineError {
  const reason = typeof status === 'object' ? status.error : status;
  return new EmbedlineError(
    'STORE_UNSUITABLE',
    `Qdrant cannot build the index of ${name}: ${reason}. Readers see what they saw. Mend that (disk space is the usual cause) ` +
      `and ingest again, which continues the build.`,
  );
}

function stalled(
  name: string,
  { status, indexed_vectors_count: indexed, points_count: points }: Schemas['CollectionInfo'],
  afterMs: number,
): EmbedlineError {
  return new EmbedlineError(
    'INDEXING_STALLED',
    `Qdrant has been building the index of ${name} for ${Math.round(afterMs / 60_000)} minutes without progress (${status}, ` +
      `${indexed ?? 0} of ${points ?? 0} vectors). Readers see what they saw. Ingest again, which waits on and then publishes; ` +
      `the server's log says what it does.`,
  );
}

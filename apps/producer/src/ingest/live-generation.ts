import type { Generation, VectorStore } from '@embedline/core';
import { EmbedlineError } from '@embedline/core/base';

/** @throws EmbedlineError COLLECTION_NOT_FOUND that names the collections there are */
export async function liveGeneration(store: VectorStore, collection: string): Promise<Generation> {
  const generations = await store.generations(collection);
  const live = generations.find((generation) => generation.live);
  if (live !== undefined) return live;
  if (generations.length > 0) {
    throw new EmbedlineError(
      'COLLECTION_NOT_FOUND',
      `Collection ${collection} is still being built and not published yet. Let its ingest finish, or run it again.`,
    );
  }
  const names = [...new Set((await store.generations()).map((generation) => generation.collection))];
  throw new EmbedlineError(
    'COLLECTION_NOT_FOUND',
    `There is no collection ${JSON.stringify(collection)} in ${store.location}. ` +
      (names.length === 0 ? 'It is empty: ingest something first.' : `There is: ${names.join(', ')}.`),
  );
}

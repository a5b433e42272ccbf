import { join } from 'node:path';
import type { StoredPoint } from '@embedline/core';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';

/** Every point of a collection's live generation in the embedded store of a data directory, by id. */
export async function storedPoints(
  dataDirectory: string,
  collection: string,
): Promise<Map<string, StoredPoint>> {
  const store = await openSqliteStore({ directory: join(dataDirectory, 'vectors') });
  try {
    const live = (await store.generations(collection)).find((generation) => generation.live);
    if (live === undefined) return new Map();
    const points = await store.open(live);
    const all = new Map<string, StoredPoint>();
    for await (const page of points.scan()) {
      for (let start = 0; start < page.length; start += 1000) {
        const found = await points.retrieve(page.slice(start, start + 1000).map(({ id }) => id));
        for (const [id, point] of found) all.set(id, point);
      }
    }
    await points.close();
    return all;
  } finally {
    await store.close();
  }
}

/** What has to be equal between two ways to the same collection: all but the run that wrote a point. */
export function comparable(points: ReadonlyMap<string, StoredPoint>): Record<string, unknown> {
  return Object.fromEntries(
    [...points]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, { chunk, vector }]) => [id, { chunk, vector: [...vector] }]),
  );
}

import { join } from 'node:path';
import type { Config } from '../config.ts';
import { checkStateFolder, openStateFolder } from '../state/state-folder.ts';
import type { Patience } from '../outages.ts';
import type { VectorStore } from './vector-store.ts';

export interface OpenVectorStoreOptions {
  readonly onWarning?: (message: string) => void;
  /** Leave no trace: where there is no store yet, none is made, and it is empty. Nothing may be written then. Defaults to false. */
  readonly readOnly?: boolean;
  /** Whether calls wait for a store that is away, once it is open. Defaults to {@link IMPATIENT}. */
  readonly patience?: Patience;
}

/** Qdrant when QDRANT_URL is set, else SQLite files in EMBEDLINE_HOME. Adapters are imported on first use. */
export async function openVectorStore(
  config: Config,
  options: OpenVectorStoreOptions = {},
): Promise<VectorStore> {
  if (config.qdrantUrl !== null) {
    const { openQdrantStore } = await import('./qdrant/qdrant-store.ts');
    const key = config.qdrantApiKey === null ? {} : { apiKey: config.qdrantApiKey };
    return openQdrantStore({ url: config.qdrantUrl, ...key, ...options });
  }
  const { openSqliteStore } = await import('./sqlite/sqlite-store.ts');
  if (options.readOnly === true) checkStateFolder(config.dataDirectory, 'vectors');
  else openStateFolder(config.dataDirectory, 'vectors');
  return openSqliteStore({ directory: join(config.dataDirectory, 'vectors'), ...options });
}

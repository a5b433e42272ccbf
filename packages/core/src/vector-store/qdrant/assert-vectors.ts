import type { Schemas } from '@qdrant/js-client-rest';
import { EmbedlineError } from '../../errors.ts';
import type { Generation } from '../vector-store.ts';
import { VECTOR_NAME } from './write-bodies.ts';

/** @throws EmbedlineError COLLECTION_INCOMPATIBLE when a collection's vectors are not what its metadata says */
export function assertVectors({ name, manifest }: Generation, info: Schemas['CollectionInfo']): void {
  const vectors = info.config.params.vectors as
    Record<string, { size?: number; distance?: string } | undefined> | undefined;
  const { size, distance } = vectors?.[VECTOR_NAME] ?? {};
  if (size === manifest.model.dimensions && distance === 'Cosine') return;
  throw new EmbedlineError(
    'COLLECTION_INCOMPATIBLE',
    `${name} holds vectors of ${String(size)} dimensions (${String(distance)}), not of ${manifest.model.dimensions} (Cosine) as its metadata says. ` +
      `Ingest with --rebuild.`,
  );
}

import { z } from 'zod';
import { storedModelSpecSchema } from '../../embedder/model-spec.ts';
import { EmbedlineError } from '../../errors.ts';
import { textOf } from '../stored-scalar.ts';
import type { Generation, GenerationManifest } from '../vector-store.ts';

/** Qdrant merges metadata by its top keys: what changes by itself has a key of its own. */
const MAIN_KEY = 'embedline';
const PIPELINE_KEY = 'embedline_pipeline_';
const PUBLISHED_KEY = 'embedline_published_at';

/**
 * The version of the metadata under {@link MAIN_KEY}. It rises when a program of the version before could not act on it
 * rightly. Absent in embedline 0.1.0, whose metadata is that of 1.
 */
export const QDRANT_METADATA_VERSION = 1;
const versionSchema = z.object({ version: z.int().positive() });

const mainSchema = z.object({
  identity: z.string(),
  collection: z.string(),
  number: z.int().positive(),
  /** False until every index is there. */
  complete: z.boolean(),
  schemaVersion: z.int(),
  createdAt: z.string(),
  model: storedModelSpecSchema,
});

export type CollectionMetadata = Record<string, unknown>;

export function toMetadata(
  generation: Omit<Generation, 'live' | 'name'>,
  complete: boolean,
): CollectionMetadata {
  const { identity, collection, number, manifest } = generation;
  const { schemaVersion, createdAt, model } = manifest;
  const pipelines = Object.entries(manifest.pipelines).map(([pipeline, fingerprint]) =>
    pipelineMetadata(pipeline, fingerprint),
  );
  return Object.assign(
    {
      [MAIN_KEY]: {
        version: QDRANT_METADATA_VERSION,
        identity,
        collection,
        number,
        complete,
        schemaVersion,
        createdAt,
        model,
      },
    },
    ...pipelines,
  ) as CollectionMetadata;
}

export function pipelineMetadata(pipeline: string, fingerprint: string): CollectionMetadata {
  return { [`${PIPELINE_KEY}${pipeline}`]: fingerprint };
}

export function publishedMetadata(publishedAt: string): CollectionMetadata {
  return { [PUBLISHED_KEY]: publishedAt };
}

/**
 * What a collection's metadata says, or null when it is not one of embedline's.
 * @throws EmbedlineError VERSION_UNSUPPORTED for one of a newer version, so that it is never taken for free
 */
export function fromMetadata(
  metadata: unknown,
  name = 'A collection',
): (Omit<Generation, 'live' | 'name'> & { readonly complete: boolean }) | null {
  const record = z.record(z.string(), z.unknown()).safeParse(metadata);
  if (!record.success) return null;
  assertNotNewer(record.data[MAIN_KEY], name);
  const main = mainSchema.safeParse(record.data[MAIN_KEY]);
  if (!main.success) return null;
  const { identity, collection, number, complete, schemaVersion, createdAt, model } = main.data;
  const pipelines = Object.fromEntries(
    Object.entries(record.data)
      .filter(([key]) => key.startsWith(PIPELINE_KEY))
      .map(([key, fingerprint]) => [key.slice(PIPELINE_KEY.length), textOf(fingerprint)]),
  );
  const publishedAt = record.data[PUBLISHED_KEY];
  const manifest: GenerationManifest = {
    schemaVersion,
    createdAt,
    model,
    pipelines,
    ...(typeof publishedAt === 'string' ? { publishedAt } : {}),
  };
  return { identity, collection, number, complete, manifest };
}

function assertNotNewer(main: unknown, name: string): void {
  const parsed = versionSchema.safeParse(main);
  if (!parsed.success || parsed.data.version <= QDRANT_METADATA_VERSION) return;
  throw new EmbedlineError(
    'VERSION_UNSUPPORTED',
    `${name} in Qdrant was made by a newer version of embedline (format ${parsed.data.version}; this one reads up to ` +
      `${QDRANT_METADATA_VERSION}). Nothing was changed. Update embedline on this machine.`,
  );
}

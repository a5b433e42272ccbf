import { z } from 'zod';
import { storedModelSpecSchema } from '../../embedder/model-spec.ts';
import { EmbedlineError } from '../../errors.ts';
import { safeText } from '../../safe-text.ts';
import { generationName, isCollectionName, parseGenerationName } from '../generation-name.ts';
import type { Generation, GenerationManifest } from '../vector-store.ts';

/** Far above what embedline writes: a kilobyte, and a line for each pipeline. */
const MAX_MANIFEST_CHARACTERS = 1024 * 1024;

/** Fields that a newer program of the same version added are kept. */
const manifestSchema: z.ZodType<GenerationManifest> = z.looseObject({
  schemaVersion: z.int().min(0),
  model: storedModelSpecSchema,
  pipelines: z.record(z.string().max(200), z.string().max(200)),
  createdAt: z.string().max(64),
  publishedAt: z.string().max(64).exactOptional(),
});

const rowSchema = z.object({
  collection: z.string().refine(isCollectionName, 'expected the name of a collection'),
  name: z.string().refine((name) => parseGenerationName(name) !== null, 'expected the name of a generation'),
  number: z.int().positive(),
  identity: z.uuid(),
  manifest: z.string().max(MAX_MANIFEST_CHARACTERS),
  live: z.literal([0, 1]),
});

/**
 * One row of the catalogue. Nothing in it is taken on trust: its name becomes a file name, and its model is looked for.
 * @throws EmbedlineError STORE_UNSUITABLE for a row that embedline cannot have written
 */
export function readGeneration(row: unknown, file: string): Generation {
  const parsed = rowSchema.safeParse(row);
  if (!parsed.success) throw unsuitable(row, file, describe(parsed.error));
  const { collection, name, number, identity, live, manifest } = parsed.data;
  if (name !== generationName(collection, number, identity))
    throw unsuitable(row, file, 'name: does not match collection, number and identity');
  return {
    collection,
    name,
    number,
    identity,
    live: live === 1,
    manifest: readManifest(manifest, name, file),
  };
}

/** @throws EmbedlineError STORE_UNSUITABLE */
export function readManifest(text: unknown, name: string, file: string): GenerationManifest {
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw unsuitable({ name }, file, `manifest.${describe(parsed.error)}`);
}

function parseJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}

function describe({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not readable'}`;
}

function unsuitable(row: unknown, file: string, reason: string): EmbedlineError {
  const named = z.looseObject({ name: z.string() }).safeParse(row);
  const name = named.success ? safeText(named.data.name.slice(0, 200)) : 'without a name';
  return new EmbedlineError(
    'STORE_UNSUITABLE',
    `${file} lists a generation that embedline cannot have written (${JSON.stringify(name)}; ${safeText(reason)}). Nothing was read ` +
      `from it or changed. The file is damaged or forged: restore a copy, or move its folder away and ingest again.`,
  );
}

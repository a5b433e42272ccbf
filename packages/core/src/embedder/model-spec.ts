import { z } from 'zod';
import type { ModelSpec } from './embedder.ts';
import { modelIdSchema, revisionSchema } from './model-id.ts';

/**
 * A model's specification as it stands in Redis and in stores. Every one that is read back passes this schema: the id is
 * a name and never a path, and every number is bounded. Fields that a newer program of the same version added are kept,
 * and mean nothing here.
 */
export const storedModelSpecSchema: z.ZodType<ModelSpec> = z.looseObject({
  id: modelIdSchema,
  revision: revisionSchema.exactOptional(),
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 hash, 64 hexadecimal digits'),
  engine: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,39}$/, 'expected the name of an engine, e.g. kernel')
    .exactOptional(),
  arithmeticVersion: z.int().positive().max(1_000_000).exactOptional(),
  dtype: z.string().regex(/^[a-z0-9_]{1,20}$/, 'expected the name of a data type, e.g. q8'),
  pooling: z.enum(['mean', 'cls']),
  dimensions: z.int().positive().max(65_536),
  maxTokens: z.int().positive().max(1_048_576),
  passagePrefix: z.string().max(1000),
  queryPrefix: z.string().max(1000),
});

import { z } from 'zod';
import type { DocumentMark } from '../document.ts';
import { storedChunkCount } from '../stored-numbers.ts';
import type { StoredFingerprint } from './vector-store.ts';

export const hashSchema = z.string().regex(/^[0-9a-f]{32}$/);

/** Fields that a newer program of the same version added are kept. */
export const documentMarkSchema: z.ZodType<DocumentMark> = z.looseObject({
  fingerprint: hashSchema,
  chunkCount: storedChunkCount,
  digest: hashSchema,
});

/** True for what a document's metadata can be: an object of texts, numbers, booleans, nulls and lists of these. */
export function isMetadata(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((field) =>
    Array.isArray(field) ? field.every(isScalar) : isScalar(field),
  );
}

function isScalar(value: unknown): boolean {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

/**
 * What a store says of a point's hashes. A hash that is not a text is taken for one that no chunk has, and a mark that
 * embedline cannot have written for none: either way the chunk is found changed, and is written anew.
 */
export function readFingerprint(id: unknown, fields: FingerprintFields): StoredFingerprint {
  return {
    id: String(id),
    textHash: typeof fields.textHash === 'string' ? fields.textHash : '',
    payloadHash: typeof fields.payloadHash === 'string' ? fields.payloadHash : '',
    documentMark: readMark(fields.documentMark),
  };
}

export interface FingerprintFields {
  readonly textHash: unknown;
  readonly payloadHash: unknown;
  readonly documentMark: unknown;
}

/** Null for none, and for one that embedline cannot have written. */
export function readMark(value: unknown): DocumentMark | null {
  if (value === null || value === undefined) return null;
  return documentMarkSchema.safeParse(value).data ?? null;
}

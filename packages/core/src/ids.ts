import { hash } from 'node:crypto';
import { withPlainLineEnds } from './chunking/line-ends.ts';
import type { Chunk, DocumentMark, Metadata } from './document.ts';

/**
 * 128 bits of SHA-256 in hex: enough for 10^9 texts with a collision probability below 10^-20. Fields are joined by
 * their length, so that ("ab","c") and ("a","bc") differ whatever they contain.
 */
function shortHash(fields: readonly string[]): string {
  let joined = '';
  for (const field of fields) joined += `${Buffer.byteLength(field)}:${field}`;
  // In one call: hash objects hold memory that the garbage collector does not see, and there is one a chunk and more.
  return hash('sha256', joined, 'hex').slice(0, 32);
}

/**
 * The id of the point of one chunk: a UUID (version 8, RFC 9562: custom) made from SHA-256, so that every run,
 * worker and attempt writes the same chunk to the same place.
 */
export function pointId(pipeline: string, documentId: string, chunkIndex: number): string {
  const hex = shortHash([pipeline, documentId, String(chunkIndex)]);
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** Hash of what a vector is made from, whatever its line ends. Equal hashes mean equal vectors under one model. */
export function textHash(prefix: string, text: string): string {
  return shortHash([prefix, withPlainLineEnds(text)]);
}

/** The same as version 0.1.0 made it, with the line ends of the source. */
export function format1TextHash(prefix: string, text: string): string {
  return shortHash([prefix, text]);
}

/** JSON with sorted keys: equal metadata gives equal text, whatever the order it was read in. */
export function canonicalMetadata(metadata: Metadata): string {
  return JSON.stringify(
    Object.keys(metadata)
      .sort()
      .map((key) => [key, metadata[key]]),
  );
}

/** Hash of all that a point's payload holds besides what the vector is made from: of the text, too, where that is another. */
export function payloadHash(
  chunk: Pick<Chunk, 'start' | 'end' | 'tokens' | 'title' | 'text' | 'embeddedText'>,
  metadata: Metadata,
): string {
  return shortHash([
    String(chunk.start),
    String(chunk.end),
    String(chunk.tokens),
    chunk.title === null ? '0' : `1${chunk.title}`,
    canonicalMetadata(metadata),
    ...(chunk.embeddedText === undefined ? [] : [chunk.text]),
  ]);
}

/** Hash of everything a document's chunks are made from. `format` decides how its structure is read. */
export function documentFingerprint(
  document: { readonly text: string; readonly title: string | null; readonly metadata: Metadata },
  format: string,
): string {
  const { text, title, metadata } = document;
  return shortHash([format, text, title === null ? '0' : `1${title}`, canonicalMetadata(metadata)]);
}

/** The digest of a document's chunk fingerprints, in chunk order; see {@link DocumentMark}. */
export function chunksDigest(chunks: readonly { textHash: string; payloadHash: string }[]): string {
  return shortHash(chunks.flatMap((chunk) => [chunk.textHash, chunk.payloadHash]));
}

/** True when two marks say the same. */
export function sameMark(a: DocumentMark | null, b: DocumentMark | null): boolean {
  if (a === null || b === null) return a === b;
  return a.fingerprint === b.fingerprint && a.chunkCount === b.chunkCount && a.digest === b.digest;
}

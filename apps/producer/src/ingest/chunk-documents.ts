import type { Chunk, ChunkableText } from '@embedline/core';

/** Cuts documents into chunks: the chunks of each, in the order of the documents. */
export type ChunkDocuments = (
  documents: readonly ChunkableText[],
) => readonly (readonly Chunk[])[] | Promise<readonly (readonly Chunk[])[]>;

/** In this thread, one after the other. */
export function chunkHere(chunk: (document: ChunkableText) => readonly Chunk[]): ChunkDocuments {
  return (documents) => documents.map((document) => chunk(document));
}

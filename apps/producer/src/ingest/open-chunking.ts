import { createChunker, loadTokenCounter } from '@embedline/core';
import { chunkHere, type ChunkDocuments } from './chunk-documents.ts';
import { ChunkingThreads, type ChunkingSettings } from './chunking-threads.ts';

export interface Chunking {
  readonly chunk: ChunkDocuments;
  /** Idempotent. */
  readonly close: () => Promise<void>;
}

/** @param threads that cut documents beside the one that reads and compares them; 1: that one does it itself */
export async function openChunking(threads: number, settings: ChunkingSettings): Promise<Chunking> {
  if (threads > 1) return new ChunkingThreads(threads, settings);
  const chunk = createChunker(settings.chunking, await loadTokenCounter(settings.model));
  return { chunk: chunkHere(chunk), close: () => Promise.resolve() };
}

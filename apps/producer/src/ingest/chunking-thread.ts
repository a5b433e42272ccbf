/** A thread of {@link ChunkingThreads}: cuts documents as it is told at its start, and answers in the order of asking. */
import { parentPort, workerData } from 'node:worker_threads';
import { createChunker, loadTokenCounter, type Chunk } from '@embedline/core';
import type { ChunkingRequest, ChunkingResponse, ChunkingSettings } from './chunking-threads.ts';

const { model, chunking } = workerData as ChunkingSettings;
const chunk = createChunker(chunking, await loadTokenCounter(model));

parentPort?.on('message', ({ id, documents }: ChunkingRequest) => {
  const chunks = documents.map((document) => chunk(document).map(withoutText));
  const response: ChunkingResponse = { id, chunks };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  parentPort?.postMessage(response);
});

/** The other side has the document. */
function withoutText({ text: _text, ...chunk }: Chunk): Omit<Chunk, 'text'> {
  return chunk;
}

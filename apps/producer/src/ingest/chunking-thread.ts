/** A thread of {@link ChunkingThreads}: cuts documents as it is told at its start, and answers in the order of asking. */
import { parentPort, workerData } from 'node:worker_threads';
import { createChunker, isEmbedlineError, loadTokenCounter, type Chunk } from '@embedline/core';
import type {
  ChunkingRefusal,
  ChunkingRequest,
  ChunkingResponse,
  ChunkingSettings,
} from './chunking-threads.ts';

const { model, chunking } = workerData as ChunkingSettings;

try {
  const chunk = createChunker(chunking, await loadTokenCounter(model));
  parentPort?.on('message', ({ id, documents }: ChunkingRequest) => {
    answer({ id, chunks: documents.map((document) => chunk(document).map(withoutText)) });
  });
} catch (error) {
  if (!isEmbedlineError(error)) throw error;
  // An error that is thrown arrives without its code.
  answer({ code: error.code, message: error.message });
}

function answer(message: ChunkingResponse | ChunkingRefusal): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  parentPort?.postMessage(message);
}

/** The other side has the document. */
function withoutText({ text: _text, ...chunk }: Chunk): Omit<Chunk, 'text'> {
  return chunk;
}

import { Worker } from 'node:worker_threads';
import {
  EmbedlineError,
  messageOf,
  type Chunk,
  type ChunkableText,
  type ChunkingOptions,
  type ErrorCode,
  type ResolvedModel,
} from '@embedline/core';
import type { ChunkDocuments } from './chunk-documents.ts';

export interface ChunkingSettings {
  readonly model: ResolvedModel;
  readonly chunking: ChunkingOptions;
}

export interface ChunkingRequest {
  readonly id: number;
  readonly documents: readonly ChunkableText[];
}

export interface ChunkingResponse {
  readonly id: number;
  readonly chunks: readonly (readonly Omit<Chunk, 'text'>[])[];
}

/** An error that a thread ends with, when it is one that says what to do. */
export interface ChunkingRefusal {
  readonly code: ErrorCode;
  readonly message: string;
}

type Answer = PromiseWithResolvers<ChunkingResponse['chunks']>;

const PROGRAM = new URL('./chunking-thread.ts', import.meta.url);

/**
 * Cuts documents in threads, each with a tokenizer of its own: cutting and counting tokens are most of what a producer
 * computes. Everything else stays where it was, so order, duplicates and counts are those of one thread.
 */
export class ChunkingThreads {
  readonly #threads: readonly Worker[];
  /** What each thread owes, by id. */
  readonly #owed: readonly Map<number, Answer>[];
  #lastId = 0;
  #closed = false;
  #failure: EmbedlineError | null = null;

  constructor(count: number, settings: ChunkingSettings) {
    this.#owed = Array.from({ length: count }, () => new Map<number, Answer>());
    this.#threads = this.#owed.map((owed) => {
      const thread = new Worker(PROGRAM, { workerData: settings });
      thread.on('message', (answer: ChunkingResponse | ChunkingRefusal) => {
        if ('code' in answer) return this.#fail(new EmbedlineError(answer.code, answer.message));
        owed.get(answer.id)?.resolve(answer.chunks);
        owed.delete(answer.id);
      });
      thread.on('error', (error) => this.#fail(died(messageOf(error))));
      thread.on('exit', (code) => this.#fail(died(`it ended with code ${code}`)));
      return thread;
    });
  }

  /** @throws EmbedlineError CHUNKING_FAILED, CLOSED, and what cutting in one thread throws, such as USAGE */
  readonly chunk: ChunkDocuments = async (documents) => {
    if (this.#failure !== null) throw this.#failure;
    const parts = inParts(documents, this.#threads.length);
    const answers = await Promise.all(parts.map((part, index) => this.#ask(index, part)));
    return answers.flat().map((chunks, index) => {
      const { text = '' } = documents[index] ?? {};
      return chunks.map((chunk) => ({ ...chunk, text: text.slice(chunk.start, chunk.end) }));
    });
  };

  /** Idempotent. */
  readonly close = async (): Promise<void> => {
    this.#closed = true;
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  };

  #ask(index: number, documents: readonly ChunkableText[]): Promise<ChunkingResponse['chunks']> {
    const answer: Answer = Promise.withResolvers();
    const id = (this.#lastId += 1);
    this.#owed[index]?.set(id, answer);
    const request: ChunkingRequest = { id, documents };
    this.#threads[index]?.postMessage(request);
    return answer.promise;
  }

  #fail(error: EmbedlineError): void {
    this.#failure ??= this.#closed
      ? new EmbedlineError('CLOSED', 'The chunking threads were closed.')
      : error;
    for (const owed of this.#owed) {
      for (const { reject } of owed.values()) reject(this.#failure);
      owed.clear();
    }
  }
}

function died(reason: string): EmbedlineError {
  return new EmbedlineError(
    'CHUNKING_FAILED',
    `A thread that cuts documents died: ${reason}. Ingest again, which does the rest; too little memory is the usual ` +
      `cause, and --producer-threads 1 needs least.`,
  );
}

/** Contiguous, of about as many characters each; fewer than `count` when there are not enough documents. */
function inParts(documents: readonly ChunkableText[], count: number): ChunkableText[][] {
  const total = documents.reduce((sum, { text }) => sum + text.length, 0);
  const parts: ChunkableText[][] = [[]];
  let characters = 0;
  for (const document of documents) {
    if (characters >= (total * parts.length) / count && parts.length < count) parts.push([]);
    parts.at(-1)?.push(document);
    characters += document.text.length;
  }
  return parts;
}

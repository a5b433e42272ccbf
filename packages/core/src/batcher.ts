import { canonicalMetadata } from './ids.ts';
import type { ChunkRecord } from './document.ts';
import { textBytes } from './job.ts';

/** Bounds of one batch; the first that is reached ends it. */
export interface BatchLimits {
  /** Defaults to 256: enough texts to find equal lengths among. */
  readonly maxChunks: number;
  /** Defaults to 16,384: a few seconds of one core, so that losing a worker loses little. */
  readonly maxTokens: number;
  /** UTF-8 bytes of the job: texts, titles, metadata, and what names them. Defaults to 256 KiB (hazards B20). */
  readonly maxBytes: number;
}

export const DEFAULT_BATCH_LIMITS: BatchLimits = Object.freeze({
  maxChunks: 256,
  maxTokens: 16_384,
  maxBytes: 256 * 1024,
});

/** What JSON takes for a chunk besides its texts: names, ids, hashes, numbers, and the mark of a first chunk. */
const BYTES_PER_CHUNK = 450;

/** Collects chunks into batches; pure. A chunk that exceeds a bound by itself is a batch of its own. */
export class Batcher {
  readonly #limits: BatchLimits;
  #chunks: ChunkRecord[] = [];
  #tokens = 0;
  #bytes = 0;
  #lastDocument: string | null = null;

  constructor(limits: BatchLimits = DEFAULT_BATCH_LIMITS) {
    this.#limits = limits;
  }

  /** Adds a chunk, and returns the batch that it completes by not fitting in, or null. */
  add(chunk: ChunkRecord): ChunkRecord[] | null {
    const ownBytes = BYTES_PER_CHUNK + textBytes(chunk);
    const documentBytes =
      Buffer.byteLength(canonicalMetadata(chunk.metadata)) + Buffer.byteLength(chunk.documentId);
    const bytes = ownBytes + (chunk.documentId === this.#lastDocument ? 0 : documentBytes);
    const { maxChunks, maxTokens, maxBytes } = this.#limits;
    const fits =
      this.#chunks.length < maxChunks &&
      this.#tokens + chunk.tokens <= maxTokens &&
      this.#bytes + bytes <= maxBytes;
    const complete = fits || this.#chunks.length === 0 ? null : this.flush();
    this.#bytes += complete === null ? bytes : ownBytes + documentBytes;
    this.#tokens += chunk.tokens;
    this.#lastDocument = chunk.documentId;
    this.#chunks.push(chunk);
    return complete;
  }

  /** What has been collected, and starts anew. */
  flush(): ChunkRecord[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#tokens = 0;
    this.#bytes = 0;
    this.#lastDocument = null;
    return chunks;
  }
}

import type { ChunkRecord, DocumentMark, Metadata } from '../document.ts';
import { readMark } from './stored-point.ts';

/**
 * What a point's payload looks like in a store, for people and programs that query it directly. Bump
 * PAYLOAD_SCHEMA_VERSION when its meaning changes: that makes a new generation.
 */
export interface PointPayload {
  pipeline: string;
  document_id: string;
  chunk_index: number;
  text: string;
  /** What the vector is made from instead of the text; absent where it is made from the text. */
  embedded_text?: string;
  title: string | null;
  start: number;
  end: number;
  tokens: number;
  metadata: Metadata;
  text_hash: string;
  payload_hash: string;
  /** Fencing: the sequence of the run that wrote this point last. */
  run_sequence: number;
  document_mark?: DocumentMark;
  /** Present while the point holds what its document said before, because the replacement was given up on. */
  stale?: true;
}

/** Stands for the payload hash of a stale point: no chunk has it, so the next ingest finds the point changed. */
export const STALE_PAYLOAD_HASH = 'stale';

export const PAYLOAD_SCHEMA_VERSION = 1;

export function toPayload(chunk: ChunkRecord, runSequence: number, stale = false): PointPayload {
  return {
    pipeline: chunk.pipeline,
    document_id: chunk.documentId,
    chunk_index: chunk.chunkIndex,
    text: chunk.text,
    ...(chunk.embeddedText === undefined ? {} : { embedded_text: chunk.embeddedText }),
    title: chunk.title,
    start: chunk.start,
    end: chunk.end,
    tokens: chunk.tokens,
    metadata: chunk.metadata,
    text_hash: chunk.textHash,
    payload_hash: chunk.payloadHash,
    run_sequence: runSequence,
    ...(chunk.documentMark === null ? {} : { document_mark: chunk.documentMark }),
    ...(stale ? { stale: true as const } : {}),
  };
}

export function fromPayload(id: string, payload: PointPayload): ChunkRecord {
  return {
    id,
    pipeline: payload.pipeline,
    documentId: payload.document_id,
    chunkIndex: payload.chunk_index,
    text: payload.text,
    ...(payload.embedded_text === undefined ? {} : { embeddedText: payload.embedded_text }),
    title: payload.title,
    start: payload.start,
    end: payload.end,
    tokens: payload.tokens,
    metadata: payload.metadata,
    textHash: payload.text_hash,
    payloadHash: payload.payload_hash,
    documentMark: readMark(payload.document_mark),
  };
}

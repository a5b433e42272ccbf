import { createHash } from 'node:crypto';
import {
  payloadHash,
  pointId,
  textHash,
  type ChunkRecord,
  type GenerationManifest,
  type Metadata,
  type Point,
} from '@embedline/core';

export const DIMENSIONS = 16;

export const MANIFEST: GenerationManifest = {
  schemaVersion: 1,
  model: {
    id: 'test/fake',
    hash: 'f'.repeat(64),
    dtype: 'q8',
    pooling: 'mean',
    dimensions: DIMENSIONS,
    maxTokens: 256,
    passagePrefix: '',
    queryPrefix: '',
  },
  pipelines: { docs: 'a'.repeat(32) },
  createdAt: '2026-01-01T00:00:00.000Z',
};

/** A unit vector made from the text: equal texts, equal vectors. */
export function vectorOf(text: string, dimensions = DIMENSIONS): Float32Array {
  const bytes = createHash('sha512').update(text).digest();
  const numbers = Array.from({ length: dimensions }, (_, index) => (bytes[index] ?? 0) - 127.5);
  const length = Math.hypot(...numbers);
  return Float32Array.from(numbers, (value) => value / length);
}

export interface PointValues {
  readonly pipeline?: string;
  readonly chunkIndex?: number;
  readonly title?: string | null;
  readonly embeddedText?: string;
  readonly metadata?: Metadata;
  /** Of the model. */
  readonly passagePrefix?: string;
}

export function chunkOf(documentId: string, text: string, values: PointValues = {}): ChunkRecord {
  const {
    pipeline = 'docs',
    chunkIndex = 0,
    title = null,
    metadata = {},
    embeddedText,
    passagePrefix = '',
  } = values;
  const other = embeddedText === undefined ? {} : { embeddedText };
  const chunk = { index: chunkIndex, text, start: 0, end: text.length, title, tokens: 3, ...other };
  return {
    id: pointId(pipeline, documentId, chunkIndex),
    pipeline,
    documentId,
    chunkIndex,
    text,
    ...other,
    start: 0,
    end: text.length,
    title,
    tokens: 3,
    metadata,
    textHash: textHash(passagePrefix, embeddedText ?? text),
    payloadHash: payloadHash(chunk, metadata),
    documentMark: null,
  };
}

export function pointOf(documentId: string, text: string, values: PointValues = {}): Point {
  return { chunk: chunkOf(documentId, text, values), vector: vectorOf(text) };
}

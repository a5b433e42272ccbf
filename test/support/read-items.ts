import type { DeadLetter, Document } from '@embedline/core';
import {
  DEFAULT_READ_LIMITS,
  DEFAULT_RECORD_OPTIONS,
  type ReadItem,
  type RecordOptions,
} from '../../apps/producer/src/readers/read-item.ts';

export const RECORD_OPTIONS: RecordOptions = {
  ...DEFAULT_RECORD_OPTIONS,
  metadataFields: [{ name: 'kept', from: 'kept' }],
  limits: { ...DEFAULT_READ_LIMITS, maxLineBytes: 80_000, maxMetadataBytes: 2000 },
};

export interface Collected {
  readonly documents: Document[];
  readonly rejects: DeadLetter[];
  /** Documents and rejects, each as what is told of it, in order. */
  readonly told: string[];
  /** What reading ended with, when that is a RangeError: the file is given up on from there. Others are thrown. */
  readonly problem: string | null;
}

export async function collect(items: AsyncIterable<ReadItem>): Promise<Collected> {
  const documents: Document[] = [];
  const rejects: DeadLetter[] = [];
  const told: string[] = [];
  try {
    for await (const item of items) {
      if (item.type === 'document') {
        documents.push(item.document);
        told.push(JSON.stringify(item.document));
      } else if (item.type === 'reject') {
        rejects.push(item.deadLetter);
        told.push(JSON.stringify(item.deadLetter));
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { documents, rejects, told, problem: error.message };
  }
  return { documents, rejects, told, problem: null };
}

/** Bytes as they come from a file: in blocks that end anywhere. */
export async function* inBlocks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

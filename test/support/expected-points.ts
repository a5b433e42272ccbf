import { expect } from 'vitest';
import { createChunker, type ModelSpec, type StoredPoint } from '@embedline/core';
import { chunkHere } from '../../apps/producer/src/ingest/chunk-documents.ts';
import { compareDocuments } from '../../apps/producer/src/ingest/compare.ts';
import { corpusOf } from './corpus.ts';
import { fakeVector } from './fake-embedder.ts';
import type { IngestCall } from './in-process.ts';
import { wordCounter } from './word-counter.ts';

/** Ids, payloads and vectors; all but the run that wrote a point. Vectors as near as a store that normalises keeps them. */
export function comparable(
  points: ReadonlyMap<string, StoredPoint>,
  pipeline: string,
  model: ModelSpec,
): Record<string, unknown> {
  const own = [...points.values()].filter(({ chunk }) => chunk.pipeline === pipeline);
  for (const { chunk, vector } of own) {
    const expected = fakeVector(model, chunk.text);
    const difference = Math.max(...expected.map((value, index) => Math.abs(value - (vector[index] ?? NaN))));
    expect(difference, `the vector of ${chunk.documentId} ${chunk.chunkIndex}`).toBeLessThan(1e-5);
  }
  return Object.fromEntries(
    own.map(({ chunk }) => [chunk.id, { ...chunk, metadata: { ...chunk.metadata } }]),
  );
}

/** What the corpus comes to where nothing was before. */
export async function fromScratch(call: IngestCall): Promise<Record<string, unknown>> {
  const documents = [];
  for await (const item of corpusOf(call).read()) {
    if (item.type === 'document') documents.push({ document: item.document, format: 'plain' as const });
  }
  const decisions = await compareDocuments(documents, {
    pipeline: call.pipeline,
    passagePrefix: '',
    chunk: chunkHere(createChunker({ maxTokens: call.maxTokens, overlapTokens: 0 }, wordCounter)),
    target: null,
    reuseFrom: null,
    signal: new AbortController().signal,
  });
  const chunks = decisions.flatMap(({ toEmbed }) => toEmbed);
  return Object.fromEntries(chunks.map((chunk) => [chunk.id, { ...chunk, metadata: { ...chunk.metadata } }]));
}

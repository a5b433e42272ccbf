import { embeddedText, textHash, type Chunk, type ChunkableText } from '@embedline/core';
import type { Corpus } from './corpus.ts';

export interface SampleOptions {
  readonly corpus: Corpus;
  readonly chunk: (document: ChunkableText) => readonly Chunk[];
  /** Chunks are taken up to this many tokens in total. */
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

interface Candidate {
  readonly hash: string;
  readonly text: string;
  readonly tokens: number;
}

/**
 * Different texts from all over a corpus of any size: those whose hashes are the smallest, so that the same corpus
 * gives the same sample, in whatever order it is read.
 */
export async function sampleChunks(options: SampleOptions): Promise<string[]> {
  const { corpus, chunk, maxTokens, signal } = options;
  let candidates = new Map<string, Candidate>();
  let tokens = 0;
  for await (const item of corpus.read(signal)) {
    if (item.type !== 'document') continue;
    const { document, format } = item;
    const isMarkdown = format === 'markdown';
    const pieces = chunk({
      text: document.text,
      title: document.title,
      bodyStart: document.bodyStart ?? 0,
      format: isMarkdown ? 'markdown' : 'plain',
    });
    for (const piece of pieces) {
      const text = embeddedText(piece, false);
      const hash = textHash('', text);
      if (candidates.has(hash)) continue;
      candidates.set(hash, { hash, text, tokens: piece.tokens });
      tokens += piece.tokens;
    }
    if (tokens <= 2 * maxTokens) continue;
    candidates = smallest(candidates, maxTokens);
    tokens = [...candidates.values()].reduce((sum, candidate) => sum + candidate.tokens, 0);
  }
  return [...smallest(candidates, maxTokens).values()].map(({ text }) => text);
}

function smallest(candidates: ReadonlyMap<string, Candidate>, maxTokens: number): Map<string, Candidate> {
  const kept = new Map<string, Candidate>();
  let tokens = 0;
  for (const candidate of [...candidates.values()].sort((a, b) => (a.hash < b.hash ? -1 : 1))) {
    tokens += candidate.tokens;
    if (tokens > maxTokens) break;
    kept.set(candidate.hash, candidate);
  }
  return kept;
}

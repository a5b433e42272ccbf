import type { Readable } from 'node:stream';
import {
  EmbedlineError,
  parseChunkingOptions,
  pipelineFingerprint,
  type ChunkingOptions,
  type Config,
  type ModelSpec,
  type ResolvedModel,
} from '@embedline/core';
import { ZodError } from 'zod';
import type { ChunkDocuments } from '../ingest/chunk-documents.ts';
import { openChunking } from '../ingest/open-chunking.ts';
import type { Corpus } from '../readers/corpus.ts';
import type { PipelineDefinition } from './definition.ts';
import { findModel } from './find-model.ts';
import { openCorpus } from './open-corpus.ts';

/** A definition whose model was found and whose sources are there: ready to be read. */
export interface OpenPipeline {
  readonly definition: PipelineDefinition;
  readonly model: ResolvedModel;
  readonly corpus: Corpus;
  readonly chunk: ChunkDocuments;
  /** See pipeline-fingerprint.ts. */
  readonly fingerprint: string;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * Finds the model and the sources of a pipeline, before anything is started or written.
 * @throws EmbedlineError MODEL_NOT_FOUND, MODEL_INVALID, USAGE, SOURCE_NOT_FOUND, SOURCE_EMPTY, SOURCE_UNREADABLE,
 * SOURCE_IGNORED
 */
export async function openPipeline(
  definition: PipelineDefinition,
  {
    config,
    stdin,
    signal,
  }: { readonly config: Config; readonly stdin: Readable; readonly signal?: AbortSignal },
): Promise<OpenPipeline> {
  // The user has named the model: what is not here may be fetched.
  const model = await findModel(definition, config, { allowRemote: true, signal });
  const chunking = chunkingOf(definition, model.spec);
  const corpus = await openCorpus(definition, stdin);
  const { chunk, close } = await openChunking(definition.producerThreads, { model, chunking });
  return { definition, model, corpus, chunk, fingerprint: pipelineFingerprint(chunking), close };
}

function chunkingOf(
  { chunkTokens, overlapTokens, embedTitle, repeatTableHeader }: PipelineDefinition,
  model: ModelSpec,
): ChunkingOptions {
  try {
    return parseChunkingOptions(
      {
        maxTokens: chunkTokens,
        overlapTokens,
        passagePrefix: model.passagePrefix,
        embedTitle,
        repeatTableHeader,
      },
      model.maxTokens,
    );
  } catch (cause) {
    if (!(cause instanceof ZodError)) throw cause;
    throw new EmbedlineError(
      'USAGE',
      `--chunk-tokens or --overlap-tokens: ${cause.issues.map(({ message }) => message).join('; ')}.`,
      { cause },
    );
  }
}

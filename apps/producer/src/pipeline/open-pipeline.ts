import type { Readable } from 'node:stream';
import {
  EmbedlineError,
  parseChunkingOptions,
  pipelineFingerprint,
  type ChunkingOptions,
  type Config,
  type ModelSpec,
  type ResolvedModel,
  type VectorStore,
} from '@embedline/core';
import { ZodError } from 'zod';
import type { ChunkDocuments } from '../ingest/chunk-documents.ts';
import { openChunking } from '../ingest/open-chunking.ts';
import type { Corpus } from '../readers/corpus.ts';
import { chooseEngine } from './choose-engine.ts';
import type { PipelineDefinition } from './definition.ts';
import { findModel } from './find-model.ts';
import { openCorpus } from './open-corpus.ts';

/** A definition whose model was found and whose sources are there. */
export interface FoundPipeline {
  readonly definition: PipelineDefinition;
  /** Its files; which engine runs them is chosen by {@link openPipeline}. */
  readonly modelFiles: ResolvedModel;
  readonly corpus: Corpus;
  readonly chunk: ChunkDocuments;
  /** See pipeline-fingerprint.ts. */
  readonly fingerprint: string;
  /** Idempotent. */
  close(): Promise<void>;
}

/** A pipeline that is ready to be read. */
export interface OpenPipeline extends FoundPipeline {
  /** As its engine runs it. */
  readonly model: ResolvedModel;
  /** Why that is not the kernel; null when it is, or for a static model. */
  readonly whyNotKernel: string | null;
}

/**
 * Finds the model and the sources of a pipeline, before anything is started or written.
 * @throws EmbedlineError MODEL_NOT_FOUND, MODEL_INVALID, USAGE, SOURCE_NOT_FOUND, SOURCE_EMPTY, SOURCE_UNREADABLE,
 * SOURCE_IGNORED
 */
export async function findPipeline(
  definition: PipelineDefinition,
  {
    config,
    stdin,
    signal,
  }: { readonly config: Config; readonly stdin: Readable; readonly signal?: AbortSignal },
): Promise<FoundPipeline> {
  // The user has named the model: what is not here may be fetched.
  const modelFiles = await findModel(definition, config, { allowRemote: true, signal });
  const chunking = chunkingOf(definition, modelFiles.spec);
  const corpus = await openCorpus(definition, stdin);
  const { chunk, close } = await openChunking(definition.producerThreads, { model: modelFiles, chunking });
  return { definition, modelFiles, corpus, chunk, fingerprint: pipelineFingerprint(chunking), close };
}

/**
 * Chooses the engine, which takes the store: a collection keeps to the one that it was made with.
 * @throws EmbedlineError MODEL_INVALID when the engine that was asked for does not take the model; STORE_UNREACHABLE, ...
 */
export async function openPipeline(
  pipeline: FoundPipeline,
  store: VectorStore,
  signal: AbortSignal,
): Promise<OpenPipeline> {
  const { collection, engine } = pipeline.definition;
  const generations = await store.generations(collection, { signal });
  return { ...pipeline, ...(await chooseEngine(pipeline.modelFiles, engine, generations)) };
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

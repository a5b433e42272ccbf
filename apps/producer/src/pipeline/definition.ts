import { z } from 'zod';
import { assertCron, DEFAULT_MODEL_ID, ENGINE_CHOICES, messageOf } from '@embedline/core';
import { USUAL_LIMITS } from '../ingest/publishing-policy.ts';
import { DEFAULT_QUEUE_LIMITS } from '../ingest/queue-limits.ts';
import { DEFAULT_READ_LIMITS } from '../readers/read-item.ts';
import { failureHookSchema } from './failure-hook.ts';
import { parsePercentage } from './percentage.ts';
import { corpusShape, sourceSchema } from './reading-schema.ts';

const NAME = /^[A-Za-z0-9][\w.-]{0,99}$/;

/** A name that can stand in flags, keys of Redis and payloads. */
export const pipelineNameSchema = z
  .string()
  .regex(NAME, "expected 1 to 100 letters, digits, '_', '.' or '-', starting with a letter or digit");

const textSchema = z.string().min(1, 'expected a text that is not empty');
const limit = (fallback: number) => z.int().min(1).default(fallback);

/** `20`, `'20'` and `'20%'` are the same; becomes a share of 0 to 1. */
const percentageSchema = z.union([z.number(), z.string()]).transform((value, context) => {
  const parsed = parsePercentage(String(value));
  if (typeof parsed === 'number') return parsed / 100;
  context.addIssue({ code: 'custom', message: parsed.problem });
  return z.NEVER;
});

/** When a pipeline is to be ingested; `embedline serve` puts it into effect. */
export const scheduleSchema = z
  .strictObject({
    /** Five or six fields, e.g. `0 3 * * *`. */
    cron: textSchema,
    /** IANA name. Defaults to UTC. */
    timeZone: textSchema.default('UTC'),
    /** What a tick does while the one before still runs. Defaults to skip. */
    overlap: z.enum(['skip', 'queue-one']).default('skip'),
    /** Who is told when such an ingest fails, instead of the file's `onFailure`; null: nobody. */
    onFailure: failureHookSchema.nullable().optional(),
  })
  .superRefine((schedule, context) => {
    try {
      assertCron(schedule);
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) });
    }
  });

/**
 * A pipeline: where its documents come from, how they are read and cut, which model, which collection. Everything that
 * the flags of `ingest` can say, under the same names; defaults are the ones that `--help` shows.
 */
export const pipelineSchema = z.strictObject({
  /** Files, directories, globs, `-`, or commands, each with what holds for it alone; relative to the configuration file. */
  sources: z.array(sourceSchema).min(1, 'expected at least one source'),
  /** Defaults to the pipeline's name. */
  collection: textSchema,
  /** Folder from which the ids of text files are counted. Defaults to the source's own, or what several have in common. */
  root: textSchema.optional(),
  ...corpusShape,
  model: textSchema.default(DEFAULT_MODEL_ID),
  dtype: textSchema.optional(),
  /** What computes the vectors. Defaults to auto: the collection's own engine; for a new collection, see choose-engine.ts. */
  engine: z.enum(ENGINE_CHOICES).default('auto'),
  /** Commit of a hub model, 40 hexadecimal digits: a branch or tag may point elsewhere tomorrow. */
  modelRevision: z
    .string()
    .regex(/^[0-9a-f]{40}$/, 'expected a commit, 40 hexadecimal digits')
    .optional(),
  /** The hash that `embedline doctor` shows: files that have another one are refused. */
  modelSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits')
    .optional(),
  /** Longest chunk in tokens. Defaults to the model's longest input. */
  chunkTokens: z.int().min(1).optional(),
  /** Defaults to 0. */
  overlapTokens: z.int().min(0).optional(),
  /** Embed each chunk's title above its text; the title counts in the length of the chunk. */
  embedTitle: z.boolean().default(false),
  /** Embed the header row of a Markdown table above each further chunk of it; it counts in the length of the chunk. */
  repeatTableHeader: z.boolean().default(false),
  /** Worker processes to run meanwhile. Defaults to 0 with REDIS_URL, else one per core. */
  workers: z.int().min(0).optional(),
  /** Largest share of the points that a run may take away from readers, whatever the cause. Defaults to 20 %. */
  maxDelete: percentageSchema.default(USUAL_LIMITS.maxDeleteShare),
  /** Largest share of the chunks of a new generation that may have been given up on. Defaults to 1 %. */
  maxGivenUp: percentageSchema.default(USUAL_LIMITS.maxGivenUpShare),
  sweepIncomplete: z.boolean().default(false),
  rebuild: z.boolean().default(false),
  reuse: z.boolean().default(true),
  partial: z.boolean().default(false),
  /** Qdrant builds the index of a new generation when it is loaded, not meanwhile. */
  deferIndexing: z.boolean().default(false),
  /** Generations kept for rollback besides the live one. Defaults to 1. */
  keepGenerations: z.int().min(0).default(1),
  wait: z.boolean().default(false),
  maxLineBytes: limit(DEFAULT_READ_LIMITS.maxLineBytes),
  maxDocumentBytes: limit(DEFAULT_READ_LIMITS.maxDocumentBytes),
  maxMetadataBytes: limit(DEFAULT_READ_LIMITS.maxMetadataBytes),
  maxGzipRatio: limit(DEFAULT_READ_LIMITS.maxGzipRatio),
  /** Threads that cut documents, beside the one that reads and compares them. Defaults to 1: that one cuts as well. */
  producerThreads: z.int().min(1).max(64).default(1),
  /** How far reading may be ahead of the workers, which bounds the memory of Redis. */
  maxQueuedBatches: limit(DEFAULT_QUEUE_LIMITS.maxQueuedBatches),
  maxQueuedBytes: limit(DEFAULT_QUEUE_LIMITS.maxQueuedBytes),
  schedule: scheduleSchema.optional(),
});

/** A pipeline as it is written: what has a default may be left out. */
export type PipelineInput = Omit<z.input<typeof pipelineSchema>, 'collection'> & { collection?: string };

/** A pipeline with everything filled in. */
export type PipelineDefinition = z.output<typeof pipelineSchema> & {
  readonly name: string;
  /** Sources and a model folder are relative to this. */
  readonly directory: string;
};

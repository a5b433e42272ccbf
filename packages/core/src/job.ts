import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { ChunkRecord, Metadata, MetadataValue } from './document.ts';
import { EmbedlineError } from './errors.ts';
import { assertNotNewer, FORMAT_VERSION, formatVersionSchema } from './format-version.ts';
import { storedBatchIndex, storedChunkIndex, storedOffset, storedTokens } from './stored-numbers.ts';
import { documentMarkSchema, hashSchema, isMetadata } from './vector-store/stored-point.ts';

const uuid = z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/**
 * Bytes of one job, all told. The producer makes batches of 256 KiB; only a document with metadata beyond its usual limit,
 * or a chunk of very long tokens, makes one larger.
 */
export const MAX_JOB_BYTES = 64 * 1024 * 1024;
const MAX_PER_JOB = 4096;

/** Fields that a newer program of the same version added are kept as they are. */
const chunkSchema = z.looseObject({
  id: uuid,
  /** Position within `documents` of the job: metadata travels once per document, not once per chunk. */
  document: z.int().min(0).max(MAX_PER_JOB),
  chunkIndex: storedChunkIndex,
  text: z.string().min(1),
  embeddedText: z.string().min(1).exactOptional(),
  start: storedOffset,
  end: storedOffset,
  title: z.string().max(MAX_JOB_BYTES).nullable(),
  tokens: storedTokens,
  textHash: hashSchema,
  payloadHash: hashSchema,
  documentMark: documentMarkSchema.nullable(),
});

const embedJobSchema = z.looseObject({
  version: formatVersionSchema,
  runId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  /** Position of the batch within its run: the bit that says "done". */
  batchIndex: storedBatchIndex,
  documents: z
    .array(
      z.looseObject({
        id: z.string().min(1),
        // Not a record of zod, which drops a field that is called __proto__.
        metadata: z.custom<Readonly<Record<string, MetadataValue>>>(
          isMetadata,
          'expected texts, numbers, booleans',
        ),
      }),
    )
    .max(MAX_PER_JOB),
  chunks: z.array(chunkSchema).min(1).max(MAX_PER_JOB),
});

/** What travels in Redis: the chunks of one batch. No vectors, no secrets, no path or URL. */
export type EmbedJob = z.infer<typeof embedJobSchema>;

/** What a newer program wrote beside a document and in its job, by the metadata of the chunks that came out of the job. */
const newerFields = new WeakMap<Metadata, { readonly document: object; readonly job: object }>();

/**
 * Builds the job of one batch. All chunks are of one run and pipeline. Fields that a newer program gave the jobs which they
 * came out of go along.
 */
export function encodeJob(runId: string, batchIndex: number, records: readonly ChunkRecord[]): EmbedJob {
  const documents: EmbedJob['documents'] = [];
  const positions = new Map<string, number>();
  const chunks = records.map((record) => {
    let document = positions.get(record.documentId);
    if (document === undefined) {
      const fields = newerFields.get(record.metadata)?.document;
      const metadata = { ...record.metadata };
      document = documents.push({ ...fields, id: record.documentId, metadata }) - 1;
      positions.set(record.documentId, document);
    }
    // The rest is whatever a chunk has, also what a newer program gave one that came out of a job.
    const { pipeline: _pipeline, documentId: _documentId, metadata: _metadata, ...chunk } = record;
    return { ...chunk, document };
  });
  return { ...sharedFields(records), version: FORMAT_VERSION, runId, batchIndex, documents, chunks };
}

/** Of the jobs that all chunks came out of, as far as these agree. */
function sharedFields(records: readonly ChunkRecord[]): object {
  const [first, ...others] = records.map(({ metadata }) => newerFields.get(metadata)?.job ?? {});
  const shared = Object.entries(first ?? {}).filter(([name, value]) =>
    others.every((fields) => isDeepStrictEqual((fields as Record<string, unknown>)[name], value)),
  );
  return Object.fromEntries(shared);
}

/**
 * Validates what came out of Redis.
 * @throws EmbedlineError VERSION_UNSUPPORTED for the job of a newer program; JOB_INVALID for one that is damaged or forged,
 * which names the field, never the text
 */
export function decodeJob(data: unknown): EmbedJob {
  assertNotNewer('A job in the queue', data);
  const parsed = embedJobSchema.safeParse(data);
  if (parsed.success) {
    if (isSmallEnough(parsed.data)) return parsed.data;
    throw notOurs(`it is larger than ${MAX_JOB_BYTES} bytes, or nested too deeply`);
  }
  const [issue] = parsed.error.issues;
  // The names of metadata are left out: they are whatever somebody wrote there.
  const path = issue?.path ?? [];
  const known = path.includes('metadata') ? path.slice(0, path.indexOf('metadata') + 1) : path;
  const place = known.map(String).join('.') || 'the job';
  throw notOurs(`${place}: ${issue?.message ?? 'unknown'}`);
}

function isSmallEnough(job: EmbedJob): boolean {
  try {
    return jobBytes(job) <= MAX_JOB_BYTES;
  } catch {
    return false;
  }
}

function notOurs(problem: string): EmbedlineError {
  return new EmbedlineError(
    'JOB_INVALID',
    `A job in the queue is damaged, or not one of embedline's: ${problem}. ` +
      `If others write to this Redis, give embedline its own.`,
  );
}

/** The chunks of a job, as they go to the store. @throws EmbedlineError JOB_INVALID */
export function chunkRecordsOf(job: EmbedJob, pipeline: string): ChunkRecord[] {
  const { version: _version, runId: _runId, batchIndex: _batchIndex, documents, chunks, ...fields } = job;
  return chunks.map(({ document, ...chunk }) => {
    const found = documents[document];
    if (found === undefined) {
      throw new EmbedlineError(
        'JOB_INVALID',
        `Job ${jobId(job.runId, job.batchIndex)} names a document it does not carry.`,
      );
    }
    const metadata: Metadata = Object.assign(Object.create(null) as Metadata, found.metadata);
    const { id: documentId, metadata: _metadata, ...beside } = found;
    newerFields.set(metadata, { document: beside, job: fields });
    return { ...chunk, pipeline, documentId, metadata };
  });
}

/**
 * The job that would try one chunk of a job again, with whatever a newer program wrote beside it.
 * @throws EmbedlineError JOB_INVALID when the job has no such chunk
 */
export function jobOfChunk(job: EmbedJob, chunkId: string): EmbedJob {
  const chunk = job.chunks.find(({ id }) => id === chunkId);
  const document = chunk === undefined ? undefined : job.documents[chunk.document];
  if (chunk === undefined || document === undefined)
    throw new EmbedlineError(
      'JOB_INVALID',
      `Job ${jobId(job.runId, job.batchIndex)} has no chunk ${chunkId}.`,
    );
  return { ...job, batchIndex: 0, documents: [document], chunks: [{ ...chunk, document: 0 }] };
}

/** Deterministic, so that adding a batch twice adds it once. BullMQ allows neither ':' nor bare integers in an id. */
export function jobId(runId: string, batchIndex: number): string {
  return `b-${runId}-${String(batchIndex).padStart(8, '0')}`;
}

/** Of a job as it was made or read; it does not change, and is asked for at each step. */
const countedBytes = new WeakMap<EmbedJob, number>();

/**
 * UTF-8 bytes of a job as it stands in Redis: what backpressure counts, the same on both sides of the queue.
 * @throws RangeError for a value that is nested more deeply than can be written
 */
export function jobBytes(job: EmbedJob): number {
  const counted = countedBytes.get(job) ?? Buffer.byteLength(JSON.stringify(job));
  countedBytes.set(job, counted);
  return counted;
}

/** UTF-8 bytes of a chunk's text, of what is embedded instead of it, and of its title. */
export function textBytes(chunk: Pick<ChunkRecord, 'text' | 'embeddedText' | 'title'>): number {
  const { text, embeddedText = '', title } = chunk;
  return Buffer.byteLength(text) + Buffer.byteLength(embeddedText) + Buffer.byteLength(title ?? '');
}

/** The parts of a job's id, or null when it is not one of embedline's. */
export function parseJobId(id: string): { runId: string; batchIndex: number } | null {
  const groups = /^b-(?<runId>[A-Za-z0-9_-]{1,64})-(?<index>[0-9]{8,10})$/.exec(id)?.groups;
  if (groups?.['runId'] === undefined || groups['index'] === undefined) return null;
  return { runId: groups['runId'], batchIndex: Number(groups['index']) };
}

const nameSchema = z.looseObject({ runId: z.unknown(), batchIndex: z.unknown() }).partial();

/** False when a job says that it is another batch than the one of its id. One that says nothing may be any. */
export function mayHaveId(data: unknown, id: string): boolean {
  const parsed = parseJobId(id);
  if (parsed === null) return false;
  const said = nameSchema.safeParse(data).data ?? {};
  const { runId = parsed.runId, batchIndex = parsed.batchIndex } = said;
  return runId === parsed.runId && batchIndex === parsed.batchIndex;
}

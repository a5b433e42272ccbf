import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import { assertNotNewer, formatVersionSchema } from '../format-version.ts';
import { storedModelSpecSchema } from '../embedder/model-spec.ts';
import type { Outage } from '../outages.ts';
import { parseStored } from '../redis/stored-value.ts';
import { storedRunSequence, storedTimeMs } from '../stored-numbers.ts';
import { NO_PRODUCER_COUNTS, type ProducerCounts, type RunProgress, type RunSpec } from './run.ts';

const name = z.string().min(1).max(200);
/** What a newer version knows besides is tolerated: the run is shown, and is not taken for one that runs. */
const stateSchema = z
  .enum(['running', 'done', 'failed', 'interrupted', 'cancelled', 'unknown'])
  .catch('unknown');
const stageSchema = z.enum(['reading', 'embedding', 'sweeping', 'publishing', 'ended']).catch('ended');
/** Workers of a run that are shown. */
const MAX_WORKERS_SHOWN = 1_000;

/**
 * A run's specification as it stands in Redis: checked before a worker acts on it. Fields that a newer program of the same
 * version added are kept, and mean nothing here.
 */
const runSpecSchema: z.ZodType<RunSpec> = z.looseObject({
  version: formatVersionSchema,
  runId: name,
  pipeline: name,
  collection: name,
  storeKind: z.enum(['sqlite', 'qdrant']),
  generation: z.looseObject({ collection: name, name, identity: name }),
  model: storedModelSpecSchema,
  embedTitle: z.literal(true).exactOptional(),
  runSequence: storedRunSequence,
  startedAtMs: storedTimeMs,
});

/** @throws EmbedlineError VERSION_UNSUPPORTED when a newer program wrote it; RUN_INVALID when it is damaged or forged */
export function parseSpec(text: string, runId: string): RunSpec {
  assertNotNewer(`Run ${runId.slice(0, 64)}`, parseStored(text, z.unknown()));
  const spec = parseStored(text, runSpecSchema);
  if (spec === null || spec.runId !== runId) throw unreadable(runId);
  return spec;
}

function unreadable(runId: string): EmbedlineError {
  return new EmbedlineError(
    'RUN_INVALID',
    `The record of run ${runId.slice(0, 64)} in Redis is not readable: it is damaged, or not one of embedline's. Ingest again; ` +
      `if others write to this Redis, give embedline its own.`,
  );
}

type Fields = Readonly<Record<string, string>>;

/**
 * Makes of what the script READ_RUN answered what is known of the run; null when Redis has no record of it.
 * @throws EmbedlineError RUN_INVALID for a record that is not readable, VERSION_UNSUPPORTED for that of a newer program
 */
export function decodeRun(runId: string, answer: unknown): RunProgress | null {
  const [run, batchesDone, workers, buckets, nowSeconds] = answer as [
    string[],
    number,
    string[],
    string[],
    number,
  ];
  const [record, byWorker, rate] = [fieldsOf(run), fieldsOf(workers), fieldsOf(buckets)];
  if (record['spec'] === undefined) return null;
  const spec = parseSpec(record['spec'], runId);
  const number = (field: string) => toCount(record[field]);
  const endedAtMs = toTimeMs(record['endedAtMs']);
  const elapsedMs = Math.max(0, (endedAtMs ?? nowSeconds * 1000) - spec.startedAtMs);
  return {
    spec,
    state: decodeState(record),
    stage: stageSchema.parse(record['stage'] ?? 'reading'),
    sealed: record['sealed'] === '1',
    producer: decodeProducer(number),
    workers: {
      // The bits of a run that has ended go early, and leave their number.
      batchesDone: Math.max(batchesDone, number('batchesDone')),
      chunksEmbedded: number('chunksEmbedded'),
      tokensEmbedded: number('tokensEmbedded'),
      chunksTruncated: number('chunksTruncated'),
      chunksGivenUp: number('chunksGivenUp'),
      bytesDone: number('bytesDone'),
    },
    jobsRefused: number('jobsRefused'),
    deadLetters: number('deadLetters'),
    deadLettersByCode: decodeLetterCounts(record),
    endedAtMs,
    elapsedMs,
    message:
      (record['message'] ?? '') === '' ? null : (record['message'] ?? '').slice(0, MAX_MESSAGE_CHARACTERS),
    waitingFor: parseStored(record['waitingFor'], outageSchema),
    chunksPerSecond:
      endedAtMs === null
        ? chunksPerSecond(rate, spec.startedAtMs / 1000, nowSeconds)
        : number('chunksEmbedded') / Math.max(elapsedMs / 1000, 0.001),
    byWorker: decodeWorkers(byWorker),
  };
}

const MAX_MESSAGE_CHARACTERS = 10_000;
const outageSchema: z.ZodType<Outage> = z.object({
  reason: z.string().max(MAX_MESSAGE_CHARACTERS),
  sinceMs: storedTimeMs,
});

/**
 * `state` is one that version 0.1.0 knows, so that every reader can tell an ended run; `endedAs` says it more exactly
 * (`cancelled` is stored as `interrupted`).
 */
function decodeState(record: Fields): RunProgress['state'] {
  const state = stateSchema.parse(record['state'] ?? 'running');
  const exact = stateSchema.parse(record['endedAs'] ?? 'unknown');
  return state === 'running' || exact === 'unknown' || exact === 'running' ? state : exact;
}

const LETTER_COUNT = 'deadLetters:';
const MAX_CODES = 100;

function decodeLetterCounts(record: Fields): Record<string, number> {
  const fields = Object.keys(record).filter((field) => field.startsWith(LETTER_COUNT));
  return Object.fromEntries(
    fields
      .slice(0, MAX_CODES)
      .map((field) => [field.slice(LETTER_COUNT.length, LETTER_COUNT.length + 100), toCount(record[field])]),
  );
}

/** Lua writes whole numbers; anything else was not written by it. */
function toCount(text: string | undefined): number {
  const value = Number(text ?? 0);
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** Null for none, and for what is no time. */
function toTimeMs(text: string | undefined): number | null {
  return text === undefined ? null : (storedTimeMs.safeParse(Number(text)).data ?? null);
}

/** Lua gets a hash as field, value, field, value. */
function fieldsOf(flat: readonly string[]): Fields {
  const fields = Object.create(null) as Record<string, string>;
  for (let index = 0; index < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  return fields;
}

function decodeProducer(number: (field: string) => number): ProducerCounts {
  const names = Object.keys(NO_PRODUCER_COUNTS) as (keyof ProducerCounts)[];
  return Object.fromEntries(names.map((field) => [field, number(field)])) as unknown as ProducerCounts;
}

/** Over the last minute of work; a run younger than that is measured from its first batch. */
function chunksPerSecond(rate: Fields, startSeconds: number, untilSeconds: number): number {
  const buckets = Object.entries(rate)
    .map(([bucket, chunks]) => ({ start: Number(bucket) * 10, chunks: toCount(chunks) }))
    .filter(({ start }) => start > untilSeconds - 70 && start <= untilSeconds);
  if (buckets.length === 0) return 0;
  const first = Math.max(
    buckets.reduce((earliest, { start }) => Math.min(earliest, start), Infinity),
    startSeconds,
  );
  const chunks = buckets.reduce((sum, bucket) => sum + bucket.chunks, 0);
  return chunks / Math.max(untilSeconds - first, 1);
}

function decodeWorkers(fields: Fields): RunProgress['byWorker'] {
  const ids = [...new Set(Object.keys(fields).map((field) => field.slice(0, field.lastIndexOf(':'))))].sort();
  return ids.slice(0, MAX_WORKERS_SHOWN).map((workerId) => ({
    workerId: workerId.slice(0, 300),
    batches: toCount(fields[`${workerId}:batches`]),
    chunks: toCount(fields[`${workerId}:chunks`]),
  }));
}

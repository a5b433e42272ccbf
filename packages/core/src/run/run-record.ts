import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import type { Outage } from '../outages.ts';
import {
  NO_PRODUCER_COUNTS,
  type ProducerCounts,
  type RunProgress,
  type RunSpec,
  type RunStage,
  type RunState,
} from './run.ts';

const name = z.string().min(1).max(200);

/** A run's specification as it stands in Redis: checked before a worker acts on it. */
const runSpecSchema: z.ZodType<RunSpec> = z.strictObject({
  version: z.literal(1),
  runId: name,
  pipeline: name,
  collection: name,
  storeKind: z.enum(['sqlite', 'qdrant']),
  generation: z.strictObject({ collection: name, name, identity: name }),
  model: z.strictObject({
    id: name,
    hash: z.string(),
    dtype: z.string(),
    pooling: z.enum(['mean', 'cls']),
    dimensions: z.int().positive(),
    maxTokens: z.int().positive(),
    passagePrefix: z.string().max(1000),
    queryPrefix: z.string().max(1000),
  }),
  runSequence: z.int().positive(),
  startedAtMs: z.int().positive(),
});

/** @throws EmbedlineError RUN_LOST when this version cannot read it */
export function parseSpec(text: string, runId: string): RunSpec {
  try {
    return runSpecSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new EmbedlineError(
      'RUN_LOST',
      `The record of run ${runId} in Redis is not readable by this version. Use one version everywhere, and ingest again.`,
      { cause },
    );
  }
}

type Fields = Readonly<Record<string, string>>;

/**
 * Makes of what the script READ_RUN answered what is known of the run; null when Redis has no record of it.
 * @throws EmbedlineError RUN_LOST for a record that is not readable
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
  const number = (field: string) => Number(record[field] ?? 0);
  const endedAtMs = record['endedAtMs'] === undefined ? null : number('endedAtMs');
  const untilSeconds = endedAtMs === null ? nowSeconds : endedAtMs / 1000;
  return {
    spec,
    state: (record['state'] ?? 'running') as RunState,
    stage: (record['stage'] ?? 'reading') as RunStage,
    sealed: record['sealed'] === '1',
    producer: decodeProducer(number),
    workers: {
      batchesDone,
      chunksEmbedded: number('chunksEmbedded'),
      tokensEmbedded: number('tokensEmbedded'),
      bytesDone: number('bytesDone'),
    },
    deadLetters: number('deadLetters'),
    endedAtMs,
    message: record['message'] === undefined || record['message'] === '' ? null : record['message'],
    waitingFor: decodeOutage(record['waitingFor']),
    chunksPerSecond: chunksPerSecond(rate, spec.startedAtMs / 1000, untilSeconds),
    byWorker: decodeWorkers(byWorker),
  };
}

const outageSchema = z.object({ reason: z.string(), sinceMs: z.number() });

function decodeOutage(text: string | undefined): Outage | null {
  return text === undefined || text === '' ? null : outageSchema.parse(JSON.parse(text));
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
    .map(([bucket, chunks]) => ({ start: Number(bucket) * 10, chunks: Number(chunks) }))
    .filter(({ start }) => start > untilSeconds - 70);
  if (buckets.length === 0) return 0;
  const first = Math.max(Math.min(...buckets.map(({ start }) => start)), startSeconds);
  const chunks = buckets.reduce((sum, bucket) => sum + bucket.chunks, 0);
  return chunks / Math.max(untilSeconds - first, 1);
}

function decodeWorkers(fields: Fields): RunProgress['byWorker'] {
  const ids = [...new Set(Object.keys(fields).map((field) => field.slice(0, field.lastIndexOf(':'))))].sort();
  return ids.map((workerId) => ({
    workerId,
    batches: Number(fields[`${workerId}:batches`] ?? 0),
    chunks: Number(fields[`${workerId}:chunks`] ?? 0),
  }));
}

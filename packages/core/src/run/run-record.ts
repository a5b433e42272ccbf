import { z } from 'zod';
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
export const runSpecSchema: z.ZodType<RunSpec> = z.strictObject({
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

/** What Redis returned for one run. */
export interface RawRun {
  readonly spec: RunSpec;
  readonly record: Readonly<Record<string, string>>;
  readonly byWorker: Readonly<Record<string, string>>;
  /** Chunks by ten-second bucket. */
  readonly rate: Readonly<Record<string, string>>;
  readonly nowSeconds: number;
}

export function decodeRun(raw: RawRun): RunProgress {
  const { spec, record } = raw;
  const number = (field: string) => Number(record[field] ?? 0);
  const names = Object.keys(NO_PRODUCER_COUNTS) as (keyof ProducerCounts)[];
  const producer = Object.fromEntries(
    names.map((field) => [field, number(field)]),
  ) as unknown as ProducerCounts;
  const endedAtMs = record['endedAtMs'] === undefined ? null : number('endedAtMs');
  return {
    spec,
    state: (record['state'] ?? 'running') as RunState,
    stage: (record['stage'] ?? 'reading') as RunStage,
    sealed: record['sealed'] === '1',
    producer,
    workers: {
      batchesDone: number('batchesDone'),
      chunksEmbedded: number('chunksEmbedded'),
      tokensEmbedded: number('tokensEmbedded'),
      bytesDone: number('bytesDone'),
    },
    deadLetters: number('deadLetters'),
    endedAtMs,
    message: record['message'] === undefined || record['message'] === '' ? null : record['message'],
    chunksPerSecond: chunksPerSecond(raw, endedAtMs),
    byWorker: decodeWorkers(raw.byWorker),
  };
}

/** Over the last minute of work; a run younger than that is measured from its first batch. */
function chunksPerSecond({ rate, spec, nowSeconds }: RawRun, endedAtMs: number | null): number {
  const untilSeconds = endedAtMs === null ? nowSeconds : endedAtMs / 1000;
  const buckets = Object.entries(rate)
    .map(([bucket, chunks]) => ({ start: Number(bucket) * 10, chunks: Number(chunks) }))
    .filter(({ start }) => start > untilSeconds - 70);
  if (buckets.length === 0) return 0;
  const first = Math.max(Math.min(...buckets.map(({ start }) => start)), spec.startedAtMs / 1000);
  const chunks = buckets.reduce((sum, bucket) => sum + bucket.chunks, 0);
  return chunks / Math.max(untilSeconds - first, 1);
}

function decodeWorkers(fields: Readonly<Record<string, string>>): RunProgress['byWorker'] {
  const ids = [...new Set(Object.keys(fields).map((field) => field.slice(0, field.lastIndexOf(':'))))].sort();
  return ids.map((workerId) => ({
    workerId,
    batches: Number(fields[`${workerId}:batches`] ?? 0),
    chunks: Number(fields[`${workerId}:chunks`] ?? 0),
  }));
}

/**
 * How fast one producer feeds a queue, and how fast it finds that nothing has changed: real Redis, real tokenizer, SQLite
 * or the double of Qdrant in a process of its own. Nobody embeds; what would be embedded is written with vectors that
 * cost nothing before the second reading. Run it with `npm run bench:producer -- [LONG_CHUNKS] [SHORT_CHUNKS] [THREADS]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  acquireRedis,
  connectRedis,
  createBatchQueue,
  DEFAULT_MODEL_ID,
  loadConfig,
  openVectorStore,
  parseChunkingOptions,
  PAYLOAD_SCHEMA_VERSION,
  pipelineFingerprint,
  Releasers,
  resolveModel,
  RunLedger,
  type GenerationPoints,
  type StoreKind,
} from '@embedline/core';
import { compareCorpus } from '../../apps/producer/src/ingest/compare-corpus.ts';
import { Enqueuer } from '../../apps/producer/src/ingest/enqueue.ts';
import { openChunking } from '../../apps/producer/src/ingest/open-chunking.ts';
import { produce } from '../../apps/producer/src/ingest/produce.ts';
import { UnfinishedBatches } from '../../apps/producer/src/ingest/unfinished-batches.ts';
import { RepeatedTexts } from '../../apps/producer/src/ingest/repeated-texts.ts';
import { newRunCounts } from '../../apps/producer/src/ingest/run-counts.ts';
import { createSeenDocuments } from '../../apps/producer/src/ingest/seen-documents.ts';
import { corpusOf } from '../support/corpus.ts';
import { writeBenchFile, type TextLength } from './bench-texts.ts';
import { forkQdrantDouble } from '../support/qdrant-double/forked.ts';
import { releaseOnSignal } from '../support/release-on-signal.ts';
import { profileStages } from './stage-profile.ts';

export interface ProducerRate {
  readonly store: StoreKind;
  readonly texts: TextLength;
  readonly reading: 'first' | 'unchanged';
  readonly threads: number;
  readonly chunks: number;
  readonly seconds: number;
  readonly chunksPerSecond: number;
  /** What one core would do: CPU of the producer's process, all threads, without waiting for others. */
  readonly chunksPerCpuSecond: number;
  /** CPU milliseconds of the main thread per 1,000 chunks. */
  readonly stages: Readonly<Record<string, number>>;
}

const STAGES = {
  read: /\/readers\//,
  chunk: /\/chunking|\/embedder\/|@huggingface\/tokenizers/,
  hash: /\/ids\.ts|\/document-fingerprint/,
  store: /\/vector-store\//,
  seen: /\/seen-documents\.ts/,
  queue: /\/bullmq\/|\/ioredis\/|\/(?:queue|job|batcher|enqueue|unfinished-batches)\.ts/,
  compare: /\/compare/,
};
const DIMENSIONS = 32;
const CHUNKS_PER_LONG_DOCUMENT = 6;

/** Measures a first and an unchanged reading. */
export async function measureProducer(options: {
  readonly store: StoreKind;
  readonly texts: TextLength;
  readonly chunks: number;
  /** Defaults to 1. */
  readonly threads?: number;
}): Promise<ProducerRate[]> {
  await using releasers = new Releasers();
  releaseOnSignal(releasers);
  const directory = await mkdtemp(join(tmpdir(), 'embedline-bench-'));
  releasers.add(() => rm(directory, { recursive: true }));
  const file = join(directory, 'docs.jsonl');
  const documents = options.texts === 'long' ? options.chunks / CHUNKS_PER_LONG_DOCUMENT : options.chunks;
  await writeBenchFile(file, options.texts, Math.ceil(documents));
  const points = await openPoints(options.store, directory, releasers);
  const bench = { ...options, file, points, redisUrl: '' };
  const lease = releasers.own(
    await acquireRedis({ dataDirectory: directory, noInstall: true, announce: () => undefined }),
  );
  bench.redisUrl = lease.url;
  const first = await read('first', bench);
  await fill(bench);
  return [first, await read('unchanged', bench)];
}

interface Bench {
  readonly store: StoreKind;
  readonly threads?: number;
  readonly texts: TextLength;
  readonly file: string;
  readonly points: GenerationPoints;
  readonly redisUrl: string;
}

const modelsDirectory = fileURLToPath(new URL('../../models', import.meta.url));

async function openModel() {
  const model = await resolveModel({ id: DEFAULT_MODEL_ID, modelsDirectory, dataDirectory: tmpdir() });
  return { ...model, spec: { ...model.spec, dimensions: DIMENSIONS } };
}

async function openPoints(
  kind: StoreKind,
  directory: string,
  releasers: Releasers,
): Promise<GenerationPoints> {
  const model = await openModel();
  const double = kind === 'qdrant' ? releasers.own(await forkQdrantDouble()) : null;
  const store = releasers.own(
    await openVectorStore({ ...loadConfig({}), dataDirectory: directory, qdrantUrl: double?.url ?? null }),
  );
  const generation = await store.createGeneration('docs', {
    schemaVersion: PAYLOAD_SCHEMA_VERSION,
    model: model.spec,
    pipelines: { docs: pipelineFingerprint(parseChunkingOptions({}, model.spec.maxTokens)) },
    createdAt: new Date().toISOString(),
  });
  return releasers.own(await store.open(generation));
}

async function comparison({ file, threads = 1 }: Bench, releasers: Releasers) {
  const model = await openModel();
  const chunking = parseChunkingOptions({}, model.spec.maxTokens);
  return {
    corpus: corpusOf({ sources: [file], cwd: tmpdir() }),
    chunk: releasers.own(await openChunking(threads, { model, chunking })).chunk,
    pipeline: 'docs',
    passagePrefix: model.spec.passagePrefix,
    signal: new AbortController().signal,
  };
}

/** One reading as an ingest does it, up to the last job that Redis has. */
async function read(reading: ProducerRate['reading'], bench: Bench): Promise<ProducerRate> {
  await using releasers = new Releasers();
  const redis = connectRedis({ url: bench.redisUrl, role: 'producer' });
  releasers.add(() => redis.disconnect());
  const prefix = '{bench}';
  const ledger = new RunLedger({ redis, prefix });
  const queue = releasers.own(createBatchQueue({ connection: redis, prefix }));
  const compared = await comparison(bench, releasers);
  const model = await openModel();
  const { runId, runSequence } = await ledger.create({
    runId: `bench-${reading}`,
    pipeline: 'docs',
    collection: 'docs',
    storeKind: bench.store,
    generation: bench.points.generation,
    model: model.spec,
    runSequence: 1,
  });
  const target = bench.points;
  const counts = newRunCounts();
  const { signal } = compared;
  const seen = releasers.own(createSeenDocuments());
  const repeated = new RepeatedTexts({ target, runSequence, signal });
  const limits = { maxQueuedBatches: Infinity, maxQueuedBytes: Infinity };
  const unfinished = new UnfinishedBatches({ runId, queue, ledger, signal });
  const enqueuer = new Enqueuer({ runId, unfinished, ledger, counts, signal, limits });
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const run = { ledger, repeated, enqueuer, counts, runId, runSequence };
  const { cpuMs } = await profileStages(STAGES, () =>
    produce({ ...compared, ...run, target, reuseFrom: target, seen, awaited: null }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  await redis.flushdb();
  const chunks = counts.chunksTotal;
  return {
    store: bench.store,
    texts: bench.texts,
    reading,
    threads: bench.threads ?? 1,
    chunks,
    seconds,
    chunksPerSecond: chunks / seconds,
    chunksPerCpuSecond: chunks / cpuSeconds,
    stages: Object.fromEntries(
      Object.entries(cpuMs).map(([stage, milliseconds]) => [stage, (milliseconds * 1000) / chunks]),
    ),
  };
}

/** Writes what the workers would have written. */
async function fill(bench: Bench): Promise<void> {
  await using releasers = new Releasers();
  const seen = releasers.own(createSeenDocuments());
  const compared = await comparison(bench, releasers);
  for await (const { decisions } of compareCorpus({ ...compared, seen, target: null, reuseFrom: null })) {
    const chunks = decisions.flatMap(({ toEmbed }) => toEmbed);
    const points = chunks.map((chunk, index) => ({ chunk, vector: someVector(index) }));
    await bench.points.upsert(points, { runSequence: 1 });
  }
}

function someVector(seed: number): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  vector[seed % DIMENSIONS] = 1;
  return vector;
}

export function showProducerRate(rate: ProducerRate): string {
  const stages = Object.entries(rate.stages).map(([name, ms]) => `${name} ${ms.toFixed(1)}`);
  return (
    `${rate.store} ${rate.texts.padEnd(5)} ${rate.reading.padEnd(9)} ${rate.chunks} chunks in ${rate.seconds.toFixed(1)} s: ` +
    `${Math.round(rate.chunksPerSecond)} chunks/s, ${Math.round(rate.chunksPerCpuSecond)} per CPU second; ` +
    `ms per 1,000: ${stages.join(', ')}\n`
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [long = 20_000, short = 60_000, threads = 1] = process.argv.slice(2).map(Number);
  for (const store of ['sqlite', 'qdrant'] as const) {
    for (const rate of await measureProducer({ store, texts: 'long', chunks: long, threads }))
      process.stdout.write(showProducerRate(rate));
    for (const rate of await measureProducer({ store, texts: 'short', chunks: short, threads }))
      process.stdout.write(showProducerRate(rate));
  }
}

/**
 * How fast one producer feeds a queue, and how fast it finds that nothing has changed: real Redis, real tokenizer, SQLite
 * or the double of Qdrant in a process of its own. Nobody embeds; what would be embedded is written with vectors that
 * cost nothing before the second reading. Run it with `npm run bench:producer -- [LONG_CHUNKS] [SHORT_CHUNKS]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  acquireRedis,
  connectRedis,
  createBatchQueue,
  createChunker,
  DEFAULT_MODEL_ID,
  loadConfig,
  loadTokenCounter,
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
import { produce } from '../../apps/producer/src/ingest/produce.ts';
import { UnfinishedBatches } from '../../apps/producer/src/ingest/unfinished-batches.ts';
import { RepeatedTexts } from '../../apps/producer/src/ingest/repeated-texts.ts';
import { newRunCounts } from '../../apps/producer/src/ingest/run-counts.ts';
import { createSeenDocuments } from '../../apps/producer/src/ingest/seen-documents.ts';
import { corpusOf } from '../support/corpus.ts';
import { writeBenchFile, type TextLength } from './bench-texts.ts';
import { forkQdrantDouble } from './qdrant-double-process.ts';
import { StageClock } from './stage-clock.ts';

export interface ProducerRate {
  readonly store: StoreKind;
  readonly texts: TextLength;
  readonly reading: 'first' | 'unchanged';
  readonly chunks: number;
  readonly tokensPerChunk: number;
  readonly seconds: number;
  readonly chunksPerSecond: number;
  /** What one core would do: CPU of the producer's process, all threads, without waiting for others. */
  readonly chunksPerCpuSecond: number;
  /** CPU milliseconds per 1,000 chunks; `rest` is hashing, batching and encoding. */
  readonly stages: Readonly<Record<string, number>>;
}

const DIMENSIONS = 32;
const CHUNKS_PER_LONG_DOCUMENT = 6;

/** Measures a first and an unchanged reading. */
export async function measureProducer(options: {
  readonly store: StoreKind;
  readonly texts: TextLength;
  readonly chunks: number;
}): Promise<ProducerRate[]> {
  await using releasers = new Releasers();
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

async function comparison({ file }: Bench) {
  const model = await openModel();
  const chunking = parseChunkingOptions({}, model.spec.maxTokens);
  return {
    corpus: corpusOf({ sources: [file], cwd: tmpdir() }),
    chunk: createChunker(chunking, await loadTokenCounter(model)),
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
  const clock = new StageClock();
  const queue = releasers.own(clock.queue(createBatchQueue({ connection: redis, prefix })));
  const compared = await comparison(bench);
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
  const target = clock.points(bench.points);
  const counts = newRunCounts();
  const { signal } = compared;
  const seen = releasers.own(createSeenDocuments());
  const repeated = new RepeatedTexts({ target, runSequence, signal });
  const limits = { maxQueuedBatches: Infinity, maxQueuedBytes: Infinity };
  const unfinished = new UnfinishedBatches({ runId, queue, ledger, signal });
  const enqueuer = new Enqueuer({ runId, unfinished, ledger, counts, signal, limits });
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await produce({
    ...compared,
    corpus: clock.corpus(compared.corpus),
    chunk: clock.chunk(compared.chunk),
    target,
    reuseFrom: target,
    seen,
    ledger,
    repeated,
    enqueuer,
    counts,
    runId,
    runSequence,
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  await redis.flushdb();
  const chunks = counts.chunksTotal;
  return {
    store: bench.store,
    texts: bench.texts,
    reading,
    chunks,
    tokensPerChunk: clock.tokens / Math.max(clock.chunks, 1),
    seconds,
    chunksPerSecond: chunks / seconds,
    chunksPerCpuSecond: chunks / cpuSeconds,
    stages: clock.perThousand(chunks, cpuSeconds),
  };
}

/** Writes what the workers would have written. */
async function fill(bench: Bench): Promise<void> {
  await using releasers = new Releasers();
  const seen = releasers.own(createSeenDocuments());
  const compared = await comparison(bench);
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
  const [long = 20_000, short = 60_000] = process.argv.slice(2).map(Number);
  for (const store of ['sqlite', 'qdrant'] as const) {
    for (const rate of await measureProducer({ store, texts: 'long', chunks: long }))
      process.stdout.write(showProducerRate(rate));
    for (const rate of await measureProducer({ store, texts: 'short', chunks: short }))
      process.stdout.write(showProducerRate(rate));
  }
}

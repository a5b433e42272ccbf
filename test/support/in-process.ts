import { onTestFinished } from 'vitest';
import {
  createBatchQueue,
  createChunker,
  createLogger,
  EmbedlineError,
  IMPATIENT,
  pipelineFingerprint,
  Releasers,
  RunLedger,
  type ModelSpec,
  type RedisConnection,
  type ResolvedModel,
  type StoredPoint,
  type VectorStore,
} from '@embedline/core';
import { startBatchWorker } from '../../apps/worker/src/batch-worker.ts';
import type { RunSource } from '../../apps/worker/src/open-runs.ts';
import { RejectionBreaker } from '../../apps/worker/src/rejection-breaker.ts';
import { chunkHere } from '../../apps/producer/src/ingest/chunk-documents.ts';
import { DEFAULT_QUEUE_LIMITS } from '../../apps/producer/src/ingest/queue-limits.ts';
import { ingest, type IngestOutcome } from '../../apps/producer/src/ingest/ingest.ts';
import type { IngestOptions } from '../../apps/producer/src/ingest/ingest-options.ts';
import { pipelineSchema } from '../../apps/producer/src/pipeline/definition.ts';
import type { OpenPipeline } from '../../apps/producer/src/pipeline/open-pipeline.ts';
import { liveGeneration } from '../../apps/producer/src/ingest/live-generation.ts';
import { makePlan, type Plan } from '../../apps/producer/src/plan/plan.ts';
import { verify, type Verification } from '../../apps/producer/src/verify/verify.ts';
import { corpusOf } from './corpus.ts';
import { fakeEmbedder } from './fake-embedder.ts';
import { testPrefix, testRedis } from './redis.ts';
import { wordCounter } from './word-counter.ts';

type Chosen = 'partial' | 'maxDeleteShare' | 'maxGivenUpShare' | 'sweepIncomplete';

export interface IngestCall extends Partial<Pick<IngestOptions, Chosen>> {
  readonly collection: string;
  readonly pipeline: string;
  readonly sources: readonly string[];
  readonly cwd: string;
  readonly model: ModelSpec;
  readonly maxTokens: number;
  readonly rebuild?: boolean;
  readonly signal?: AbortSignal;
  /** Seen by the producer alone. Defaults to the store itself. */
  readonly store?: VectorStore;
}

/** Producer and worker in this process, around a real Redis and a store under test, with models that cost nothing. */
export interface InProcess {
  readonly redis: RedisConnection;
  /** Of its keys in Redis. */
  readonly prefix: string;
  ingest(call: IngestCall): Promise<IngestOutcome>;
  /** What an ingest would do. */
  plan(call: IngestCall): Promise<Plan>;
  /** Is what readers see what the corpus says? Every vector is made again. */
  verify(call: IngestCall): Promise<Verification>;
  /** Texts that were embedded for a run. */
  embedded(runId: string): readonly string[];
  livePoints(collection: string): Promise<Map<string, StoredPoint>>;
}

/** @param fails texts that cannot be embedded */
export function inProcess(
  store: VectorStore,
  workerStore: VectorStore = store,
  fails: (text: string) => boolean = () => false,
): InProcess {
  const [commands, prefix] = [testRedis(), testPrefix()];
  const ledger = new RunLedger({ redis: commands, prefix });
  const queue = createBatchQueue({ connection: commands, prefix });
  const asked = new Map<string, string[]>();
  const worker = startBatchWorker({
    redis: testRedis('worker'),
    prefix,
    ledger,
    runs: runSource(workerStore, ledger, { asked, fails }),
    workerId: 'in-process',
    logger: createLogger({ name: 'test', level: 'fatal' }),
    processes: 1,
    lookEveryMs: 20,
    lockDurationMs: 30_000,
    patience: IMPATIENT,
    breaker: new RejectionBreaker(),
  });
  onTestFinished(async () => {
    await worker.close(1000);
    await queue.close();
  });
  return {
    redis: commands,
    prefix,
    ingest: (call) =>
      ingest({ ...options(call), redis: commands, prefix, ledger, queue, store: call.store ?? store }),
    plan: (call) =>
      makePlan({
        pipeline: openCall(call),
        store,
        signal: new AbortController().signal,
        onProgress: () => undefined,
      }),
    verify: (call) => verifyLive(store, call),
    embedded: (runId) => asked.get(runId) ?? [],
    livePoints: (collection) => readLive(store, collection),
  };
}

interface Embedding {
  readonly asked: Map<string, string[]>;
  readonly fails: (text: string) => boolean;
}

function runSource(store: VectorStore, ledger: RunLedger, { asked, fails }: Embedding): RunSource {
  return {
    prove: async (runId) => {
      const spec = await ledger.spec(runId);
      if (spec === null) throw new EmbedlineError('RUN_LOST', `There is no run ${runId}.`);
      return spec;
    },
    borrow: (spec) => ({
      open: async () => {
        const texts = asked.get(spec.runId) ?? [];
        asked.set(spec.runId, texts);
        const embedder = fakeEmbedder(spec.model, (text) => texts.push(text), fails);
        return { spec, points: await store.open(spec.generation), embedder };
      },
      release: () => undefined,
    }),
    retain: () => undefined,
  };
}

function options(call: IngestCall): Omit<IngestOptions, 'redis' | 'prefix' | 'ledger' | 'queue' | 'store'> {
  const { collection, pipeline, model, rebuild = false, signal = new AbortController().signal } = call;
  return {
    collection,
    pipeline,
    model,
    rebuild,
    signal,
    ...chunkingOf(call),
    queueLimits: DEFAULT_QUEUE_LIMITS,
    corpus: corpusOf(call),
    reuse: true,
    deferIndexing: false,
    partial: call.partial ?? false,
    wait: false,
    maxDeleteShare: call.maxDeleteShare ?? 1,
    maxGivenUpShare: call.maxGivenUpShare ?? 0.01,
    sweepIncomplete: call.sweepIncomplete ?? false,
    keepGenerations: 1,
    startWorkers: () => null,
    onStart: () => undefined,
    onNotice: () => undefined,
    onAudit: () => undefined,
  };
}

function chunkingOf({ maxTokens }: IngestCall) {
  const chunking = { maxTokens, overlapTokens: 0 };
  return {
    fingerprint: pipelineFingerprint(chunking),
    chunk: chunkHere(createChunker(chunking, wordCounter)),
  };
}

function openCall(call: IngestCall): OpenPipeline {
  const { pipeline: name, collection, sources, cwd: directory, rebuild = false } = call;
  const { partial = false, maxDeleteShare = 1, maxGivenUpShare = 0.01, sweepIncomplete = false } = call;
  const parsed = pipelineSchema.parse({
    sources: [...sources],
    collection,
    rebuild,
    partial,
    sweepIncomplete,
  });
  const model: ResolvedModel = {
    kind: 'transformer',
    spec: call.model,
    filesHash: call.model.hash,
    directory,
    modelsDirectory: directory,
    weightsFile: '',
    warnings: [],
  };
  return {
    definition: { ...parsed, maxDelete: maxDeleteShare, maxGivenUp: maxGivenUpShare, name, directory },
    modelFiles: model,
    model,
    whyNotKernel: null,
    corpus: corpusOf(call),
    ...chunkingOf(call),
    close: () => Promise.resolve(),
  };
}

async function verifyLive(store: VectorStore, call: IngestCall): Promise<Verification> {
  const generation = await liveGeneration(store, call.collection);
  return verify({
    pipeline: openCall(call),
    generation,
    store,
    sampleSize: 10_000,
    minCosine: 0.999,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    openEmbedder: async () => fakeEmbedder(call.model),
  });
}

async function readLive(store: VectorStore, collection: string): Promise<Map<string, StoredPoint>> {
  await using releasers = new Releasers();
  const live = (await store.generations(collection)).find((generation) => generation.live);
  const all = new Map<string, StoredPoint>();
  if (live === undefined) return all;
  const points = releasers.own(await store.open(live));
  for await (const page of points.scan()) {
    for (let start = 0; start < page.length; start += 1000) {
      const ids = page.slice(start, start + 1000).map(({ id }) => id);
      for (const [id, point] of await points.retrieve(ids)) all.set(id, point);
    }
  }
  return all;
}

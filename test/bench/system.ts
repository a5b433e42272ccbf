import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Releasers, RunLedger } from '@embedline/core';
import producerOptions from '@embedline/producer/node-options.json' with { type: 'json' };
import workerOptions from '@embedline/worker/node-options.json' with { type: 'json' };
import { z } from 'zod';
import { killProcess } from '../support/kill-process.ts';
import { startRedisServer, type RedisServer } from '../support/redis-server.ts';
import { releaseOnSignal } from '../support/release-on-signal.ts';
import { descendants, processCost, watchProcess, type ProcessCost } from './process-cost.ts';
import { writeTexts } from './bench-texts.ts';
import { forkQdrantDouble, type ForkedDouble } from '../support/qdrant-double/forked.ts';

const program = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const PRODUCER = program('../../apps/producer/src/main.ts');
const WORKER = program('../../apps/worker/src/main.ts');
const PACED_WORKER = program('../support/paced-worker.ts');

const PREFIX = '{bench}';

export type BenchStore = 'sqlite' | 'qdrant';

/** CPU milliseconds by part of the system; what the parts share of the cores is what is not inference. */
export interface StageCosts {
  readonly producer: number;
  readonly worker: number;
  readonly inference: number;
  readonly redis: number;
  /** Of the server; SQLite works within producer and workers. */
  readonly store: number;
}

export interface IngestMeasurement {
  readonly chunks: number;
  /** Of the run, as its summary says. */
  readonly seconds: number;
  readonly cpuMs: StageCosts;
  readonly producerPeakMiB: number;
  readonly workerMiB: number;
  readonly inferenceMiB: number;
}

/** How far an ingest is. */
export interface ProgressSample {
  readonly seconds: number;
  /** Embedded, or found to be there. */
  readonly chunksDone: number;
  /** Of producer, workers, inference, Redis and store together, so far. */
  readonly cpuMs: number;
  readonly producerMiB: number;
  readonly redisMiB: number;
}

export interface IngestSettings {
  /** Stream the texts to its standard input. Defaults to a file. */
  readonly stdin?: boolean;
  /** Fields of each record that are not asked for. */
  readonly ignored?: Readonly<Record<string, string>>;
  /** Defaults to one of its own. */
  readonly collection?: string;
  /** Told four times a second. */
  readonly onProgress?: (sample: ProgressSample) => void;
}

const SAMPLE_EVERY_MS = 250;

const summarySchema = z.object({
  type: z.literal('summary'),
  seconds: z.number(),
  deadLetters: z.literal(0),
  chunks: z.object({ total: z.number() }),
});

/** Redis, a store and workers, as a user would start them: each a process of its own. */
export class BenchSystem {
  readonly #directory: string;
  readonly #redis: RedisServer;
  readonly #env: NodeJS.ProcessEnv;
  readonly #double: ForkedDouble | null;
  readonly #workers: ChildProcess[] = [];
  readonly #releasers: Releasers;
  #ingests = 0;

  static async start(store: BenchStore): Promise<BenchSystem> {
    const releasers = new Releasers();
    releaseOnSignal(releasers);
    const directory = await mkdtemp(join(tmpdir(), 'embedline-bench-'));
    releasers.add(() => rm(directory, { recursive: true, force: true }));
    const redis = releasers.own(await startRedisServer(directory));
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      REDIS_URL: redis.url,
      EMBEDLINE_PREFIX: PREFIX,
      EMBEDLINE_HOME: directory,
      EMBEDLINE_LOG_LEVEL: 'warn',
      QDRANT_URL: undefined,
    };
    const double = store === 'sqlite' ? null : releasers.own(await forkQdrantDouble());
    if (double !== null) env['QDRANT_URL'] = double.url;
    return new BenchSystem(directory, redis, env, double, releasers);
  }

  private constructor(
    directory: string,
    redis: RedisServer,
    env: NodeJS.ProcessEnv,
    double: ForkedDouble | null,
    releasers: Releasers,
  ) {
    this.#directory = directory;
    this.#redis = redis;
    this.#env = env;
    this.#double = double;
    this.#releasers = releasers;
  }

  /** Workers with the model that ships, loaded before this returns. */
  async startWorkers(count: number, processesPerWorker = 1): Promise<void> {
    for (let index = 0; index < count; index += 1)
      this.#spawnWorker([...workerOptions, WORKER, '--concurrency', String(processesPerWorker)], {});
    await this.#warmUp();
  }

  /** Workers that take a set time for each text and make vectors from hashes. */
  async startPacedWorkers(count: number, msPerText: number, concurrency = 1): Promise<void> {
    const env = { PACED_MS_PER_TEXT: String(msPerText), PACED_CONCURRENCY: String(concurrency) };
    for (let index = 0; index < count; index += 1) this.#spawnWorker([...workerOptions, PACED_WORKER], env);
    await this.#warmUp();
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => killProcess(worker, 'SIGTERM')));
  }

  async ingest(
    texts: Iterable<string>,
    { collection, onProgress, stdin = false, ignored }: IngestSettings = {},
  ): Promise<IngestMeasurement> {
    this.#ingests += 1;
    const file = join(this.#directory, 'texts.jsonl');
    if (!stdin) await writeTexts(createWriteStream(file), texts, ignored);
    const args = [
      ...producerOptions,
      PRODUCER,
      'ingest',
      stdin ? '-' : file,
      '--collection',
      collection ?? `bench-${this.#ingests}`,
      '--workers',
      '0',
      '--json',
      ...(stdin ? ['--format', 'jsonl'] : []),
    ];
    const before = await this.#costs();
    const ingest = spawn(process.execPath, args, { env: this.#env, stdio: 'pipe' });
    this.#releasers.add(() => killProcess(ingest));
    const writing = stdin ? writeTexts(ingest.stdin, texts, ignored) : Promise.resolve();
    const producer = watchProcess(ingest.pid ?? 0);
    let output = '';
    for (const stream of [ingest.stdout, ingest.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const ended = once(ingest, 'close') as Promise<[number]>;
    if (onProgress !== undefined) await this.#watch(ended, producer, onProgress);
    const [code] = await ended;
    await writing;
    if (code !== 0) throw new Error(`An ingest of the benchmark ended with ${code}:\n${output}`);
    const after = await this.#costs();
    const summary = summarySchema.parse(JSON.parse(output.trim().split('\n').at(-1) ?? ''));
    const { cpuMs, peakResidentMiB } = producer.last();
    const used = (stage: keyof typeof after.cpuMs) => after.cpuMs[stage] - before.cpuMs[stage];
    return {
      chunks: summary.chunks.total,
      seconds: summary.seconds,
      cpuMs: {
        producer: cpuMs,
        worker: used('worker'),
        inference: used('inference'),
        redis: used('redis'),
        store: used('store'),
      },
      producerPeakMiB: peakResidentMiB,
      workerMiB: after.workerMiB,
      inferenceMiB: after.inferenceMiB,
    };
  }

  async #watch(
    ended: Promise<unknown>,
    producer: { last(): ProcessCost },
    onProgress: (sample: ProgressSample) => void,
  ): Promise<void> {
    const redis = this.#redis.connect();
    const ledger = new RunLedger({ redis, prefix: PREFIX });
    const [before] = await ledger.list(1);
    const over = ended.then(() => true);
    while (!(await Promise.race([over, delay(SAMPLE_EVERY_MS, false)]))) {
      const [run] = await ledger.list(1);
      if (run !== undefined && run.spec.runId !== before?.spec.runId) {
        const { cpuMs } = await this.#costs();
        const others = cpuMs.worker + cpuMs.inference + cpuMs.redis + cpuMs.store;
        onProgress({
          seconds: performance.now() / 1000,
          chunksDone: run.workers.chunksEmbedded + run.producer.chunksSkipped,
          cpuMs: others + producer.last().cpuMs,
          producerMiB: producer.last().residentMiB,
          redisMiB: await this.redisMiB(),
        });
      }
    }
    redis.disconnect();
  }

  /** Memory that Redis has given out. */
  async redisMiB(): Promise<number> {
    const redis = this.#redis.connect();
    const info = await redis.info('memory');
    redis.disconnect();
    return Number(/^used_memory:(\d+)/m.exec(info)?.[1]) / 1024 ** 2;
  }

  async close(): Promise<void> {
    await this.stopWorkers();
    await this.#releasers.release();
  }

  #spawnWorker(args: readonly string[], env: NodeJS.ProcessEnv): void {
    const worker = spawn(process.execPath, args, { env: { ...this.#env, ...env }, stdio: ['ignore', 2, 2] });
    this.#releasers.add(() => killProcess(worker));
    this.#workers.push(worker);
  }

  /** Until each worker has embedded something: small batches, since who takes one is up to the queue. */
  async #warmUp(): Promise<void> {
    for (let round = 0; round < 2; round += 1)
      await this.ingest(
        Array.from({ length: 512 * this.#workers.length }, (_, index) => `Warm up ${round} ${index}.`),
      );
  }

  async #costs() {
    const redis = this.#redis.connect();
    const info = await redis.info('server');
    redis.disconnect();
    const redisPid = Number(/^process_id:(\d+)/m.exec(info)?.[1]);
    const workers = this.#workers.map(({ pid = 0 }) => pid);
    const children = workers.flatMap(descendants);
    const cpu = (pids: readonly number[]) =>
      pids.reduce((sum, pid) => sum + (processCost(pid)?.cpuMs ?? 0), 0);
    const most = (pids: readonly number[]) =>
      Math.max(0, ...pids.map((pid) => processCost(pid)?.peakResidentMiB ?? 0));
    return {
      cpuMs: {
        worker: cpu(workers),
        inference: cpu(children),
        redis: cpu([redisPid]),
        store: cpu(this.#double === null ? [] : [this.#double.pid]),
      },
      workerMiB: most(workers),
      inferenceMiB: most(children),
    };
  }
}

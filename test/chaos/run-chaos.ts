import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, Releasers, RunLedger, type VectorStore } from '@embedline/core';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { startHttpProxy, type HttpProxy } from '../support/http-proxy.ts';
import { forkQdrantDouble } from '../support/qdrant-double/forked.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { releaseOnSignal } from '../support/release-on-signal.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { chaosCorpus, seededRandom } from './corpus.ts';
import type { Fault, Form } from './fault.ts';
import { startFedIngest, type FedIngest } from './feed.ts';
import { failIfEnded, killProducers } from './kill-producers.ts';
import { judge, type Verdict } from './oracle.ts';
import { REDIS_FAULTS } from './redis-faults.ts';
import { AMPLE, QDRANT_FAULTS, SQLITE_FAULTS } from './store-faults.ts';
import { currentRun, untilAnotherRun, untilProgress, type ChaosSystem } from './system.ts';
import { WORKER_FAULTS } from './worker-faults.ts';
import { WorkerFleet } from './worker-fleet.ts';

export interface ChaosOptions {
  readonly store: 'sqlite' | 'qdrant';
  readonly form: Form;
  readonly seed: number;
  readonly workers: number;
  /** Documents that are fed at least; more while faults are still to come. */
  readonly documents: number;
  readonly msPerText: number;
  /** Only faults with such a name, each once at least. */
  readonly only?: RegExp | undefined;
  /** Defaults to 2,000: much shorter than that of workers, so that more goes wrong in less time. */
  readonly lockDurationMs?: number | undefined;
  readonly tell: (text: string) => void;
}

/** How often a fault happened, and the longest time until the work went on. */
export interface FaultRecord {
  readonly name: string;
  readonly times: number;
  readonly recoveredWithinMs: number | null;
  /** Why it was left out. */
  readonly impossible: string | null;
}

export interface ChaosReport {
  readonly faults: readonly FaultRecord[];
  readonly verdict: Verdict;
  readonly exitCode: number | null;
  readonly mostLogLinesInTenSeconds: number;
  readonly seconds: number;
}

const PREFIX = '{chaos}';

/** One ingest under a seeded sequence of faults, and what is in the store after it. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using releasers = new Releasers();
  releaseOnSignal(releasers);
  const startedAtMs = performance.now();
  const random = seededRandom(options.seed);
  const corpus = chaosCorpus(options.seed);
  const { system, env, store, log } = await buildSystem(options, random, releasers);
  const kills = options.form === 'full' ? 20 : 2;
  const killed = await killAll(options.only === undefined ? kills : 0, system, () =>
    startFedIngest(corpus, Infinity, env),
  );
  await writeFile(log, '');
  const before = await currentRun(system);
  const ingest = startFedIngest(corpus, options.documents, env);
  releasers.add(() => void ingest.process.kill('SIGKILL'));
  // Until then workers still do what killed producers had queued, and an ingest that cannot even begin says so and ends.
  await Promise.race([untilAnotherRun(system, before?.spec.runId), failIfEnded(ingest)]);
  const records = [...killed, ...(await injectAll(faultsOf(options), system, ingest, options))];
  ingest.finish();
  const exitCode = await ingest.exited;
  const [run] = await system.ledger.list(1);
  if (run === undefined || run.state !== 'done')
    throw new Error(`The ingest ended with ${String(exitCode)}:\n${ingest.output()}\n${system.fleet.tail}`);
  const documents = await ingest.fed;
  const verdict = await judge({ corpus, documents, store, ledger: system.ledger, run, log });
  return {
    faults: records,
    verdict,
    exitCode,
    mostLogLinesInTenSeconds: system.fleet.mostLinesInTenSeconds,
    seconds: (performance.now() - startedAtMs) / 1000,
  };
}

async function buildSystem(options: ChaosOptions, random: () => number, releasers: Releasers) {
  const directory = await mkdtemp(join(tmpdir(), 'embedline-chaos-'));
  releasers.add(() => rm(directory, { recursive: true, force: true }));
  const redis = releasers.own(await startRedisServer(directory));
  const wire = releasers.own(await startTcpProxy(redis.port));
  const admin = redis.connect();
  releasers.add(() => admin.disconnect());
  const { store, qdrant, ...place } = await openStore(options, directory, releasers);
  const { lockDurationMs = 2_000 } = options;
  const log = join(directory, 'embedded.log');
  await writeFile(log, '');
  const env = {
    ...process.env,
    REDIS_URL: redis.url.replace(String(redis.port), String(wire.port)),
    EMBEDLINE_PREFIX: PREFIX,
    EMBEDLINE_HOME: directory,
    PACED_LOG: log,
    PACED_MS_PER_TEXT: String(options.msPerText),
    PACED_LOCK_MS: String(lockDurationMs),
    ...(qdrant === null ? {} : { QDRANT_URL: qdrant.url }),
  };
  const fleet = releasers.own(new WorkerFleet(options.workers, env));
  const ledger = new RunLedger({ redis: admin, prefix: PREFIX });
  const observed = { fleet, redis, wire, admin, prefix: PREFIX, ledger };
  const system: ChaosSystem = { ...observed, ...place, qdrant, lockDurationMs, random };
  return { system, env, store, log };
}

async function openStore(
  { store: kind }: ChaosOptions,
  directory: string,
  releasers: Releasers,
): Promise<{
  store: VectorStore;
  qdrant: HttpProxy | null;
  sqliteDirectory: string | null;
  ownDisk: boolean;
}> {
  if (kind === 'sqlite') {
    const sqliteDirectory = join(directory, 'vectors');
    await mkdir(sqliteDirectory);
    const ownDisk = mountOwnDisk(sqliteDirectory, releasers);
    const store = releasers.own(await openSqliteStore({ directory: sqliteDirectory }));
    return { store, qdrant: null, sqliteDirectory, ownDisk };
  }
  const [url, apiKey] = [process.env['QDRANT_TEST_URL'], process.env['QDRANT_TEST_API_KEY']];
  // A million points in this process would hold up what passes through the wires.
  const target = url ?? releasers.own(await forkQdrantDouble()).url;
  const qdrant = releasers.own(await startHttpProxy(target));
  const store = releasers.own(
    await openQdrantStore({ url: target, ...(apiKey === undefined ? {} : { apiKey }) }),
  );
  const drop = async () => {
    for (const generation of await store.generations('chaos')) await store.dropGeneration(generation);
  };
  await drop();
  releasers.add(drop);
  return { store, qdrant, sqliteDirectory: null, ownDisk: false };
}

/** A file system of its own, so that there can be no room on it; only root may. */
function mountOwnDisk(directory: string, releasers: Releasers): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${AMPLE}`, 'tmpfs', directory], { stdio: 'ignore' });
  } catch {
    return false;
  }
  releasers.add(() => void execFileSync('umount', ['-l', directory]));
  return true;
}

async function killAll(times: number, system: ChaosSystem, start: () => FedIngest): Promise<FaultRecord[]> {
  if (times === 0) return [];
  const recoveredWithinMs = await killProducers({
    times,
    start,
    untilProgress: () => untilProgress(system),
    random: system.random,
  });
  return [{ name: 'producer killed and started again', times, recoveredWithinMs, impossible: null }];
}

function faultsOf({ store, form, only }: ChaosOptions): readonly Fault[] {
  const all = [...WORKER_FAULTS, ...REDIS_FAULTS, ...(store === 'sqlite' ? SQLITE_FAULTS : QDRANT_FAULTS)];
  if (only === undefined) return all;
  return all
    .filter(({ name }) => only.test(name))
    .map((fault) => ({ ...fault, times: { ...fault.times, [form]: Math.max(1, fault.times[form]) } }));
}

async function injectAll(
  faults: readonly Fault[],
  system: ChaosSystem,
  ingest: FedIngest,
  { form, tell }: ChaosOptions,
): Promise<FaultRecord[]> {
  const possible = faults.filter((fault) => (fault.impossible?.(system) ?? null) === null);
  const order = shuffled(
    possible.flatMap((fault) => Array.from({ length: fault.times[form] }, () => fault)),
    system.random,
  );
  const longestMs = new Map<Fault, number>();
  await untilProgress(system);
  for (const [position, fault] of order.entries()) {
    tell(`${position + 1}/${order.length}  ${fault.name}`);
    const recoveredMs = await Promise.race([fault.inject(system), failIfEnded(ingest)]).catch(
      (cause: unknown) => {
        throw new Error(`${fault.name}: ${messageOf(cause)}\n${system.fleet.tail}`, { cause });
      },
    );
    longestMs.set(fault, Math.max(longestMs.get(fault) ?? 0, recoveredMs));
  }
  return faults
    .filter((fault) => fault.times[form] > 0)
    .map((fault) => ({
      name: fault.name,
      times: possible.includes(fault) ? fault.times[form] : 0,
      recoveredWithinMs: longestMs.get(fault) ?? null,
      impossible: fault.impossible?.(system) ?? null,
    }));
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

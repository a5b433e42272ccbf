import { writeFile } from 'node:fs/promises';
import { messageOf, Releasers } from '@embedline/core';
import { releaseOnSignal } from '../support/release-on-signal.ts';
import { buildSystem } from './build-system.ts';
import { CLOSED_STREAMS } from './closed-streams.ts';
import { chaosCorpus, type ChaosCorpus } from './corpus.ts';
import { seededRandom } from '../support/seeded-random.ts';
import type { Fault, Form } from './fault.ts';
import { startFedIngest, type FedIngest } from './feed.ts';
import { failIfEnded, killProducers } from './kill-producers.ts';
import { MORE_MODELS } from './more-models.ts';
import { OLDER_VERSION } from './older-version.ts';
import { judge, type Verdict } from './oracle.ts';
import { REDIS_FAULTS } from './redis-faults.ts';
import { signalGroups } from './signal-groups.ts';
import { QDRANT_FAULTS, SQLITE_FAULTS } from './store-faults.ts';
import { currentRun, untilAnotherRun, untilProgress, type ChaosSystem } from './system.ts';
import { WORKER_FAULTS } from './worker-faults.ts';
import { WRONG_WORKERS } from './wrong-workers.ts';

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

const KILLED = 'producer killed and started again';
const SIGNALLED = 'one signal to the process group of a producer and two workers';
/** Each takes a while: the short form has one of these and {@link SIGNALLED}, chosen by its seed. */
const LONG_FAULTS = [WRONG_WORKERS, MORE_MODELS, OLDER_VERSION, CLOSED_STREAMS];

/** One ingest under a seeded sequence of faults, and what is in the store after it. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using releasers = new Releasers();
  releaseOnSignal(releasers);
  const startedAtMs = performance.now();
  const random = seededRandom(options.seed);
  const corpus = chaosCorpus(options.seed);
  const { system, log } = await buildSystem(options, random, releasers);
  const { env, store } = system;
  const ended = await endProducers(options, system, corpus);
  await writeFile(log, '');
  const before = await currentRun(system);
  const ingest = startFedIngest(corpus, options.documents, env);
  releasers.add(() => void ingest.process.kill('SIGKILL'));
  // Until then workers still do what killed producers had queued, and an ingest that cannot even begin says so and ends.
  await Promise.race([untilAnotherRun(system, before?.spec.runId), failIfEnded(ingest)]);
  const records = [...ended, ...(await injectAll(faultsOf(options), system, ingest, options))];
  ingest.finish();
  const exitCode = await ingest.exited;
  const run = await currentRun(system);
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

/** What ends a producer comes before the ingest that all else happens to. */
async function endProducers(
  { form, seed, only }: ChaosOptions,
  system: ChaosSystem,
  corpus: ChaosCorpus,
): Promise<FaultRecord[]> {
  const records: FaultRecord[] = [];
  const record = async (name: string, times: number, happen: (times: number) => Promise<number>) => {
    if (only === undefined ? times === 0 : !only.test(name)) return;
    const recoveredWithinMs = await happen(Math.max(1, times));
    records.push({ name, times: Math.max(1, times), recoveredWithinMs, impossible: null });
  };
  await record(KILLED, form === 'full' ? 20 : 1, (times) =>
    killProducers({
      times,
      start: () => startFedIngest(corpus, Infinity, system.env),
      untilProgress: () => untilProgress(system),
      random: system.random,
    }),
  );
  const signals = form === 'full' ? 10 : longFaultOf(seed) === null ? 1 : 0;
  await record(SIGNALLED, signals, (times) => signalGroups(times, system, corpus));
  return records;
}

/** The one of the short form with this seed; null when it is {@link SIGNALLED}. */
function longFaultOf(seed: number): Fault | null {
  return LONG_FAULTS[seed % (LONG_FAULTS.length + 1)] ?? null;
}

function faultsOf({ store, form, seed, only }: ChaosOptions): readonly Fault[] {
  const usual = [...WORKER_FAULTS, ...REDIS_FAULTS, ...(store === 'sqlite' ? SQLITE_FAULTS : QDRANT_FAULTS)];
  const isIn = (fault: Fault) => form === 'full' || only !== undefined || fault === longFaultOf(seed);
  const all = [...usual, ...LONG_FAULTS.filter(isIn)];
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

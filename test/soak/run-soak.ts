import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Releasers, RunLedger, type RedisConnection } from '@embedline/core';
import nodeOptions from '@embedline/worker/node-options.json' with { type: 'json' };
import { chaosCorpus } from '../chaos/corpus.ts';
import { startFedIngest } from '../chaos/feed.ts';
import { killProcess } from '../support/kill-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { releaseOnSignal } from '../support/release-on-signal.ts';
import { holdingOf, processTree } from './processes.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly workers: number;
  readonly sampleEveryMs: number;
  readonly tell: (text: string) => void;
}

/** One thing that was watched, as (minutes, value). */
export interface Series {
  readonly name: string;
  readonly unit: 'MB' | 'handles';
  readonly samples: (readonly [minutes: number, value: number])[];
}

export interface SoakReport {
  readonly series: readonly Series[];
  readonly chunks: number;
  readonly minutes: number;
  /** What Redis holds before the ingest, at most while it goes on, and after it. */
  readonly redisMegabytes: { readonly before: number; readonly most: number; readonly after: number };
}

const WORKER = fileURLToPath(new URL('../../apps/worker/src/main.ts', import.meta.url));
const PREFIX = '{soak}';
/** What still waits when the time is up is embedded before the end. */
const MAX_QUEUED_BATCHES = 8;

/** Steady work for so many minutes, with real workers and the shipped model, watched from outside. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  await using releasers = new Releasers();
  releaseOnSignal(releasers);
  const directory = await mkdtemp(join(tmpdir(), 'embedline-soak-'));
  releasers.add(() => rm(directory, { recursive: true, force: true }));
  const server = releasers.own(await startRedisServer(directory));
  const redis = server.connect();
  releasers.add(() => redis.disconnect());
  const { REDIS_URL, EMBEDLINE_PREFIX, EMBEDLINE_HOME } = {
    REDIS_URL: server.url,
    EMBEDLINE_PREFIX: PREFIX,
    EMBEDLINE_HOME: directory,
  };
  const env = { ...process.env, REDIS_URL, EMBEDLINE_PREFIX, EMBEDLINE_HOME, QDRANT_URL: '' };
  const workers = Array.from({ length: options.workers }, () => startWorker(env, releasers));
  const ledger = new RunLedger({ redis, prefix: PREFIX });
  options.tell('a first ingest, after which everything has been used once');
  await ingestFor(0, 300, env, () => undefined);
  const before = await usedMegabytes(redis);
  const startedAtMs = Date.now();
  const series = new Map<string, Series>();
  options.tell(`${options.minutes} minutes of steady work`);
  await ingestFor(options.minutes, 0, env, async (ingest) => {
    const watched = [
      { name: 'producer', pid: ingest.pid ?? 0 },
      ...workers.flatMap(({ pid = 0 }, index) =>
        processTree(pid).map((member, position) => ({
          name: `worker ${index + 1}${position === 0 ? '' : `, inference ${position}`}`,
          pid: member,
        })),
      ),
    ];
    while (ingest.exitCode === null && Date.now() - startedAtMs < options.minutes * 60_000) {
      await sample(watched, redis, (Date.now() - startedAtMs) / 60_000, series);
      await delay(options.sampleEveryMs);
    }
  });
  const [run] = await ledger.list(1);
  if (run?.state !== 'done') throw new Error(`The ingest ended as ${run?.state ?? 'nothing'}.`);
  const used = series.get('Redis')?.samples.map(([, value]) => value) ?? [];
  return {
    series: [...series.values()],
    chunks: run.workers.chunksEmbedded,
    minutes: (Date.now() - startedAtMs) / 60_000,
    redisMegabytes: { before, most: Math.max(...used), after: await usedMegabytes(redis) },
  };
}

function startWorker(env: NodeJS.ProcessEnv, releasers: Releasers): ChildProcess {
  // The channel ends the worker when this process ends early.
  const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const;
  const worker = spawn(process.execPath, [...nodeOptions, WORKER, '--concurrency', '1'], {
    env,
    stdio: [...stdio],
  });
  releasers.add(() => killProcess(worker, 'SIGTERM'));
  return worker;
}

async function ingestFor(
  minutes: number,
  atLeast: number,
  env: NodeJS.ProcessEnv,
  meanwhile: (ingest: ChildProcess) => Promise<void> | void,
): Promise<void> {
  // Other texts each time: an ingest of known ones would embed nothing.
  const ingest = startFedIngest(chaosCorpus(minutes + 1), atLeast, env, MAX_QUEUED_BATCHES);
  if (minutes === 0) ingest.finish();
  await meanwhile(ingest.process);
  ingest.finish();
  const code = await ingest.exited;
  if (code !== 0) throw new Error(`The ingest ended with ${String(code)}:\n${ingest.output()}`);
}

async function sample(
  watched: readonly { readonly name: string; readonly pid: number }[],
  redis: RedisConnection,
  minutes: number,
  series: Map<string, Series>,
): Promise<void> {
  const add = (name: string, unit: Series['unit'], value: number) => {
    const one = series.get(name) ?? { name, unit, samples: [] };
    one.samples.push([minutes, value]);
    series.set(name, one);
  };
  for (const { name, pid } of watched) {
    const holding = holdingOf(pid);
    if (holding === null) continue;
    add(name, 'MB', holding.residentMegabytes);
    if (holding.handles !== null) add(`${name}: open handles`, 'handles', holding.handles);
  }
  add('Redis', 'MB', await usedMegabytes(redis));
}

async function usedMegabytes(redis: RedisConnection): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]) / 1024 ** 2;
}

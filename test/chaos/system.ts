import { setTimeout as delay } from 'node:timers/promises';
import {
  runKeys,
  type RedisConnection,
  type RunLedger,
  type RunProgress,
  type VectorStore,
} from '@embedline/core';
import type { HttpProxy } from '../support/http-proxy.ts';
import type { RedisServer } from '../support/redis-server.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import type { Release } from '../support/unpack-release.ts';
import type { WorkerFleet } from './worker-fleet.ts';

/** Everything that faults can reach, and what is seen of the run. */
export interface ChaosSystem {
  readonly fleet: WorkerFleet;
  readonly redis: RedisServer;
  /** Between Redis and all programs under test. */
  readonly wire: TcpProxy;
  /** A connection that faults do not meet. */
  readonly admin: RedisConnection;
  readonly prefix: string;
  readonly ledger: RunLedger;
  /** A connection to the store that faults do not meet. */
  readonly store: VectorStore;
  /** Of all programs under test. */
  readonly env: NodeJS.ProcessEnv;
  /** For files; goes with the system. */
  readonly directory: string;
  /** In front of Qdrant; null for SQLite. */
  readonly qdrant: HttpProxy | null;
  /** Folder of the SQLite files; null for Qdrant. */
  readonly sqliteDirectory: string | null;
  /** True when that folder is a file system of its own that may be filled. */
  readonly ownDisk: boolean;
  readonly lockDurationMs: number;
  /** The programs of 0.1.0, unpacked when first asked for. */
  olderRelease(): Promise<Release>;
  /** A collection that nothing has been written to. */
  nextCollection(): string;
  readonly random: () => number;
}

const POLL_MS = 20;
const DEADLINE_MS = 180_000;

/** The pipeline, and the collection, that everything happens to. */
export const MAIN_PIPELINE = 'chaos';

/** The newest run of the main pipeline. */
export async function currentRun(system: ChaosSystem): Promise<RunProgress | undefined> {
  return newestRun(system, MAIN_PIPELINE);
}

export async function newestRun({ ledger }: ChaosSystem, pipeline: string): Promise<RunProgress | undefined> {
  for await (const run of ledger.index.newestFirst(pipeline, 1)) return run;
  return undefined;
}

/** Milliseconds until another batch is counted, or all are. */
export async function untilProgress(system: ChaosSystem): Promise<number> {
  const startedAtMs = performance.now();
  const before = (await patiently(() => currentRun(system)))?.workers.batchesDone ?? 0;
  await poll('another batch is counted', async () => {
    const run = await patiently(() => currentRun(system));
    return run !== undefined && (run.workers.batchesDone > before || run.state !== 'running');
  });
  return performance.now() - startedAtMs;
}

/** Waits until a run other than the one given is the newest. */
export async function untilAnotherRun(system: ChaosSystem, runId: string | undefined): Promise<void> {
  await poll('the ingest has begun', async () => {
    const run = await patiently(() => currentRun(system));
    return run !== undefined && run.spec.runId !== runId;
  });
}

/** Waits until nothing has been counted for a second: the fault has its effect. At most `mostMs`. */
export async function untilStalled(system: ChaosSystem, mostMs = 30_000): Promise<void> {
  const count = async () => (await patiently(() => currentRun(system)))?.workers.batchesDone ?? 0;
  let [done, sinceMs] = [await count(), performance.now()];
  const deadlineMs = performance.now() + mostMs;
  while (performance.now() - sinceMs < 1_000) {
    if (performance.now() > deadlineMs) throw new Error('The work goes on as if nothing had happened.');
    await delay(POLL_MS);
    const now = await count();
    if (now !== done) [done, sinceMs] = [now, performance.now()];
  }
}

/** The batches that workers have taken and not finished. */
export async function batchesUnderWay(system: ChaosSystem): Promise<readonly string[]> {
  const { admin, prefix } = system;
  const runId = (await currentRun(system))?.spec.runId ?? '';
  return admin.lrange(`${prefix}:${runKeys(prefix).queueName(runId)}:active`, 0, -1);
}

/** Waits until each of these jobs is done. */
export async function untilDone({ ledger }: ChaosSystem, jobIds: readonly string[]): Promise<void> {
  await poll('the batches of lost workers are done', async () => {
    for (const id of jobIds) {
      const parts = /^b-(.+)-(\d+)$/.exec(id);
      if (parts === null) continue;
      if (!(await patiently(() => ledger.isBatchDone(parts[1] ?? '', Number(parts[2]))))) return false;
    }
    return true;
  });
}

/** The observer outlasts the faults as well. */
async function patiently<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read();
    } catch (error) {
      if (attempt >= 20) throw error;
      await delay(250);
    }
  }
}

/** Waits until a condition holds. @throws Error with its description when it does not within three minutes */
export async function poll(description: string, holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (Date.now() > deadlineMs)
      throw new Error(`Waited ${DEADLINE_MS / 1000} s in vain until ${description}.`);
    await delay(POLL_MS);
  }
}

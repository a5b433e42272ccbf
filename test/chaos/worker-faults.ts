import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import type { Mischief } from '../support/paced-worker.ts';
import { batchesUnderWay, untilDone, untilProgress, type ChaosSystem } from './system.ts';
import type { FleetWorker } from './worker-fleet.ts';

/** What happens to worker processes. */
export const WORKER_FAULTS: readonly Fault[] = [
  {
    name: 'worker killed (SIGKILL)',
    times: { short: 2, full: 100 },
    inject: async (system) => {
      const worker = pick(system);
      const underWay = await batchesUnderWay(system);
      const startedAtMs = performance.now();
      worker.process.kill('SIGKILL');
      await worker.exited;
      await untilDone(system, underWay);
      return performance.now() - startedAtMs;
    },
  },
  {
    name: 'worker stopped for 3 locks (SIGSTOP)',
    times: { short: 1, full: 20 },
    inject: async (system) => {
      const worker = pick(system);
      const underWay = await batchesUnderWay(system);
      const startedAtMs = performance.now();
      worker.process.kill('SIGSTOP');
      await delay(3 * system.lockDurationMs);
      worker.process.kill('SIGCONT');
      worker.busy = true;
      await untilDone(system, underWay);
      return performance.now() - startedAtMs - 3 * system.lockDurationMs;
    },
  },
  {
    name: 'worker thread blocked for 3 locks',
    times: { short: 1, full: 5 },
    inject: async (system) => {
      const worker = pick(system);
      mislead(worker, 'block');
      await delay(3 * system.lockDurationMs);
      worker.busy = true;
      return untilProgress(system);
    },
  },
  {
    name: 'inference process killed, as for want of memory',
    times: { short: 1, full: 10 },
    inject: (system) => disturbInference(system, 'SIGKILL'),
  },
  {
    name: 'inference process crashed (SIGABRT)',
    times: { short: 1, full: 10 },
    inject: (system) => disturbInference(system, 'SIGABRT'),
  },
  {
    name: 'worker told to stop (SIGTERM)',
    times: { short: 1, full: 10 },
    inject: async (system) => {
      const worker = pick(system);
      worker.process.kill('SIGTERM');
      const code = await worker.exited;
      if (code !== 0) throw new Error(`A worker that was told to stop ended with ${String(code)}, not 0.`);
      return untilProgress(system);
    },
  },
];

/** Its batch is done by a new process of the same worker. */
async function disturbInference(system: ChaosSystem, signal: 'SIGKILL' | 'SIGABRT'): Promise<number> {
  const worker = pick(system);
  const underWay = await batchesUnderWay(system);
  const startedAtMs = performance.now();
  mislead(worker, signal);
  worker.busy = true;
  await untilDone(system, underWay);
  return performance.now() - startedAtMs;
}

function mislead(worker: FleetWorker, mischief: Mischief): void {
  worker.process.send(mischief);
}

/** One that works, at random. Until it is marked as busy again, nothing else happens to it. */
export function pick({ fleet, random }: ChaosSystem): FleetWorker {
  const { working } = fleet;
  const worker = working[Math.floor(random() * working.length)];
  if (worker === undefined) throw new Error('No worker works.');
  worker.busy = false;
  return worker;
}

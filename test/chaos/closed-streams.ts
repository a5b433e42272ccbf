import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Fault } from './fault.ts';
import { SIDE_MODELS } from './side-models.ts';
import { readUntilGone, startSideRun } from './side-run.ts';
import { currentRun, poll, untilProgress, type ChaosSystem } from './system.ts';
import { PACED_WORKER } from './worker-fleet.ts';

/** What `head -c 20` reads before it goes away. */
const READ_BYTES = 20;

/** Nobody reads what a producer and a worker say: both go on, and end as they should. */
export const CLOSED_STREAMS: Fault = {
  name: 'stdout and stderr of a producer and a worker closed (2>&1 | head -c 20)',
  times: { short: 1, full: 5 },
  inject: async (system) => {
    const worker = spawn(process.execPath, [PACED_WORKER], {
      env: system.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    readUntilGone(worker, READ_BYTES);
    const exited = once(worker, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
    const endsEarly = exited.then((end) => Promise.reject(new Error(`The worker ended with ${end}.`)));
    endsEarly.catch(() => undefined);
    const counted = () => batchesOf(worker.pid ?? 0, system);
    try {
      await Promise.race([poll('the unheard worker works', async () => (await counted()) > 0), endsEarly]);
      const run = await startSideRun(system, {
        collection: system.nextCollection(),
        model: SIDE_MODELS[0],
        documents: 600,
        readBytes: READ_BYTES,
      });
      // Now both have something to say.
      system.wire.reset();
      await Promise.race([run.judged, endsEarly]);
      const before = await counted();
      await Promise.race([
        poll('the unheard worker goes on', async () => (await counted()) > before),
        endsEarly,
      ]);
      worker.kill('SIGTERM');
      const end = await exited;
      if (end !== 0) throw new Error(`An unheard worker that was told to stop ended with ${end}, not 0.`);
    } finally {
      worker.kill('SIGKILL');
    }
    return untilProgress(system);
  },
};

/** Batches of the main run that a worker process has done. */
async function batchesOf(pid: number, system: ChaosSystem): Promise<number> {
  const run = await currentRun(system);
  return run?.byWorker.find(({ workerId }) => workerId.includes(`-${pid}-`))?.batches ?? 0;
}

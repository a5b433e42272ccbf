import type { Fault } from './fault.ts';
import { SIDE_MODELS } from './side-models.ts';
import { startSideRun } from './side-run.ts';
import { newestRun, poll, untilProgress } from './system.ts';
import { pick } from './worker-faults.ts';

/** Runs of other pipelines with other models, while workers die and connections break. */
export const MORE_MODELS: Fault = {
  name: 'runs with a second, third and fourth model on the same workers',
  times: { short: 1, full: 5 },
  inject: async (system) => {
    const names = SIDE_MODELS.map((model) => ({ model, collection: system.nextCollection() }));
    const runs = await Promise.all(names.map((name) => startSideRun(system, { ...name, documents: 600 })));
    const judged = Promise.all(runs.map((run) => run.judged));
    const begun = poll('the other runs have begun', async () => {
      const newest = await Promise.all(names.map(({ collection }) => newestRun(system, collection)));
      return newest.every((run) => run !== undefined);
    });
    await Promise.race([begun, judged]);
    const worker = pick(system);
    worker.process.kill('SIGKILL');
    await worker.exited;
    system.wire.reset();
    await judged;
    return untilProgress(system);
  },
};

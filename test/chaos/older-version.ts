import { CrashLoop } from './crash-loop.ts';
import type { Fault } from './fault.ts';
import { SIDE_MODELS } from './side-models.ts';
import { startSideRun } from './side-run.ts';
import { poll, untilProgress } from './system.ts';

const ARGS = ['--concurrency', '1', '--threads', '1', '--micro-batch-tokens', '512'];
const RESTARTS = 2;
const LIFE_MS = 1_500;

/** A fleet in the middle of an update: old workers take nothing of new runs, and new ones serve the run of an old producer. */
export const OLDER_VERSION: Fault = {
  name: 'workers and a producer of version 0.1.0 beside the others',
  times: { short: 1, full: 5 },
  inject: async (system) => {
    const release = await system.olderRelease();
    const old = new CrashLoop({
      program: release.worker,
      args: ARGS,
      env: system.env,
      awaited: /Worker is ready/,
      lifeMs: LIFE_MS,
    });
    try {
      await poll('old workers were there', async () => old.rounds >= RESTARTS);
    } finally {
      await old.close();
    }
    const run = await startSideRun(system, {
      collection: system.nextCollection(),
      model: SIDE_MODELS[0],
      documents: 600,
      producer: release.producer,
    });
    await run.judged;
    return untilProgress(system);
  },
};

import type { RedisConnection } from '../redis/connection.ts';
import { runKeys } from './run-keys.ts';
import { FORGET_LOST, runScript } from './run-scripts.ts';

/** Lists a run no more whose record Redis has lost. One whose record is there stays listed. */
export async function forgetLostRun(redis: RedisConnection, prefix: string, runId: string): Promise<void> {
  const keys = runKeys(prefix);
  await runScript(redis, FORGET_LOST, [keys.run(runId), keys.runningRuns], [runId]);
}

import type { RedisConnection } from '../redis/connection.ts';
import { ifAllowed } from '../redis/rights.ts';
import { runKeys } from './run-keys.ts';
import { runScript, script } from './run-scripts.ts';

/**
 * Lists a run no more whose record is gone.
 *
 * KEYS  run hash, sorted set of running runs
 * ARGV  run id
 * Returns how many were listed
 */
const FORGET_LOST = script(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return redis.call('ZREM', KEYS[2], ARGV[1])`);

/** Lists a run no more whose record Redis has lost. One whose record is there stays listed. */
export async function forgetLostRun(redis: RedisConnection, prefix: string, runId: string): Promise<void> {
  const keys = runKeys(prefix);
  await ifAllowed(runScript(redis, FORGET_LOST, [keys.run(runId), keys.runningRuns], [runId]));
}

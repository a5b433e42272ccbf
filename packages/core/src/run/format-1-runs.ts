import type { RedisConnection } from '../redis/connection.ts';
import { z } from 'zod';
import { parseStored } from '../redis/stored-value.ts';
import { runKeys } from './run-keys.ts';

const MAX_LOOKED_AT = 1_000;
const format1Schema = z.object({ version: z.literal(1) });

/**
 * The running runs of format 1, whose batches are in a queue that all of them share; those among the newest 1,000. Programs of
 * that format list their runs without saying which have ended.
 */
export async function runningFormat1RunIds(redis: RedisConnection, prefix: string): Promise<string[]> {
  const keys = runKeys(prefix);
  const ids = await redis.zrevrange(keys.runs, 0, MAX_LOOKED_AT - 1);
  if (ids.length === 0) return [];
  const answers = await redis.pipeline(ids.map((id) => ['hmget', keys.run(id), 'spec', 'state'])).exec();
  return ids.filter((_, index) => {
    const [error, value] = answers?.[index] ?? [null, null];
    if (error !== null) throw error;
    const [spec, state] = (value ?? []) as (string | null)[];
    return state === 'running' && parseStored(spec, format1Schema) !== null;
  });
}

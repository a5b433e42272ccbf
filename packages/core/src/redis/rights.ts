import type { RedisConnection } from './connection.ts';

/** True when Redis refused a command because of the rights of this connection's user. */
export function isRefusedByRights(error: unknown): boolean {
  return error instanceof Error && /NOPERM|No permission/i.test(error.message);
}

/** Tidying up on the way, which a user who may only read leaves to others. */
export async function ifAllowed(write: Promise<unknown>): Promise<void> {
  await write.catch((error: unknown) => {
    if (!isRefusedByRights(error)) throw error;
  });
}

/** Connections of users who may not write: Redis lets those run no script but by EVAL_RO, which it has from 7.0 on. */
const readers = new WeakSet<RedisConnection>();

/**
 * Runs a script that only reads.
 * @param run how a user does it who may write as well
 */
export async function runReading<T>(
  redis: RedisConnection,
  run: () => Promise<T>,
  source: string,
  keys: readonly string[],
  args: readonly (string | number)[] = [],
): Promise<T> {
  const asReader = () => redis.eval_ro(source, keys.length, ...keys, ...args) as Promise<T>;
  if (readers.has(redis)) return asReader();
  try {
    return await run();
  } catch (error) {
    if (!isRefusedByRights(error)) throw error;
    const answer = await asReader().catch(() => {
      throw error;
    });
    readers.add(redis);
    return answer;
  }
}

import type { RedisConnection } from '../redis/connection.ts';

/**
 * Which of these batches have no bit, in the order given. Of the bitmap, which somebody may have made as long as Redis
 * lets it be, only the bytes in question are read.
 */
export async function withoutBit(
  redis: RedisConnection,
  key: string,
  batchIndexes: readonly number[],
): Promise<number[]> {
  const bytes = batchIndexes.map((index) => index >> 3);
  const first = bytes.reduce((a, b) => Math.min(a, b), Infinity);
  const last = bytes.reduce((a, b) => Math.max(a, b), -Infinity);
  if (first > last) return [];
  const bitmap = await redis.getrangeBuffer(key, first, last);
  const hasBit = (index: number) => ((bitmap[(index >> 3) - first] ?? 0) >> (7 - (index & 7))) & 1;
  return batchIndexes.filter((index) => hasBit(index) === 0);
}

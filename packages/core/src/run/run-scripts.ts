import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script, run by its hash and sent whole only when Redis does not have it yet. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

function script(source: string): Script {
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

export async function runScript(
  redis: Redis,
  { source, sha1 }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(sha1, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return redis.eval(source, keys.length, ...keys, ...args);
  }
}

/**
 * Counts a finished batch, once however often it is delivered: the bit decides.
 *
 * KEYS  run hash, done bitmap, dead letters hash, per-worker hash, rate hash
 * ARGV  batch index, worker id, chunks, tokens, bytes, most dead letters kept, then (key, JSON) per dead letter
 * Returns 1 counted, 0 counted before, -1 the run is not there
 */
export const COMPLETE_BATCH = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('SETBIT', KEYS[2], ARGV[1], 1) == 1 then return 0 end
redis.call('HINCRBY', KEYS[1], 'batchesDone', 1)
redis.call('HINCRBY', KEYS[1], 'chunksEmbedded', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'tokensEmbedded', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'bytesDone', ARGV[5])
redis.call('HINCRBY', KEYS[4], ARGV[2] .. ':batches', 1)
redis.call('HINCRBY', KEYS[4], ARGV[2] .. ':chunks', ARGV[3])
local bucket = math.floor(tonumber(redis.call('TIME')[1]) / 10)
redis.call('HINCRBY', KEYS[5], bucket, ARGV[3])
redis.call('HDEL', KEYS[5], bucket - 8, bucket - 9, bucket - 10)
for i = 7, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[3], ARGV[i]) == 0 then
    redis.call('HINCRBY', KEYS[1], 'deadLetters', 1)
    if redis.call('HLEN', KEYS[3]) < tonumber(ARGV[6]) then redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
  end
end
return 1`);

/**
 * Records dead letters; one that is there already is not counted again.
 *
 * KEYS  run hash, dead letters hash
 * ARGV  most dead letters kept, then (key, JSON) per dead letter
 * Returns 1, or -1 when the run is not there
 */
export const ADD_DEAD_LETTERS = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
for i = 2, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then
    redis.call('HINCRBY', KEYS[1], 'deadLetters', 1)
    if redis.call('HLEN', KEYS[2]) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
  end
end
return 1`);

/**
 * Writes fields of a run that exists; never brings a lost run back as a fragment.
 *
 * KEYS  run hash
 * ARGV  field, value, ...
 * Returns 1, or -1 when the run is not there
 */
export const UPDATE_RUN = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1`);

/**
 * Ends a run. The first end wins.
 *
 * KEYS  run hash, done bitmap, dead letters hash, per-worker hash, rate hash
 * ARGV  state, message, seconds until the record is forgotten
 * Returns 1 ended now, 0 ended before, -1 the run is not there
 */
export const END_RUN = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'message', ARGV[2], 'stage', 'ended',
  'endedAtMs', now[1] * 1000 + math.floor(now[2] / 1000))
for i = 1, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[3]) end
return 1`);

/**
 * The next fencing sequence: larger than every earlier one, also when Redis was emptied in between, since it never
 * falls behind the clock.
 *
 * KEYS  sequence
 * Returns the sequence, in milliseconds since the epoch or one more than the last
 */
export const NEXT_SEQUENCE = script(`
local now = redis.call('TIME')
local sequence = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('SET', KEYS[1], string.format('%d', sequence))
return sequence`);

/**
 * Takes a lock, or says who has it.
 *
 * KEYS  lock
 * ARGV  owner (JSON), time to live in ms, owner who may be replaced ('' for none)
 * Returns '' when it was taken, else the owner
 */
export const ACQUIRE_LOCK = script(`
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[3] then return owner end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ''`);

/**
 * Renews (time to live > 0) or gives up (0) a lock that is still one's own.
 *
 * KEYS  lock
 * ARGV  owner (JSON), time to live in ms
 * Returns 1, or 0 when it is another's or nobody's
 */
export const HOLD_LOCK = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) else redis.call('DEL', KEYS[1]) end
return 1`);

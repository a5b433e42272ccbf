import { createHash } from 'node:crypto';
import type { RedisConnection } from '../redis/connection.ts';
import { runReading } from '../redis/rights.ts';
import { MAX_BATCHES_OF_RUN } from '../stored-numbers.ts';

/** A Lua script, run by its hash and sent whole only when Redis does not have it yet. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
  /** A user who may not write runs it, too. */
  readonly readOnly: boolean;
}

export function script(source: string, { readOnly = false } = {}): Script {
  return { source, readOnly, sha1: createHash('sha1').update(source).digest('hex') };
}

export function runScript(
  redis: RedisConnection,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  const run = () => runByHash(redis, script, keys, args);
  return script.readOnly ? runReading(redis, run, script.source, keys, args) : run();
}

async function runByHash(
  redis: RedisConnection,
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
 * What the scripts of a run share. KEYS are those of {@link RunLedger}: run hash, done bitmap, dead letters hash,
 * per-worker hash, rate hash, retry jobs hash; then the sorted sets of running runs and of runs with dead letters. ARGV[1]
 * is the seconds after which an untouched run is forgotten: whatever a script writes, and whenever (a batch may end after
 * its run), no key of a run stays behind without an end.
 */
const RETRY_SECONDS = 7 * 24 * 3600;
/** What only a running run needs (which batches are done, who did them) is kept this long after its end. */
const DETAILS_SECONDS = 24 * 3600;
const ASSERT_THERE = `if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end`;
const ASSERT_RUNNING = `${ASSERT_THERE}
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end`;
const KEEP = `for i = 1, 5 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end`;
/** The code of a letter, by which letters are counted. A pattern, since cjson refuses the lone surrogates that ids may hold. */
const CODE_OF = `local function codeOf(letter) return string.match(letter, '"code":"([%w_]+)"') or '' end`;
const ADD_LETTERS = `${CODE_OF}
local function addLetters(first, most)
  if #ARGV < first then return end
  for i = first, #ARGV, 3 do
    if redis.call('HEXISTS', KEYS[3], ARGV[i]) == 0 then
      redis.call('HINCRBY', KEYS[1], 'deadLetters', 1)
      redis.call('HINCRBY', KEYS[1], 'deadLetters:' .. codeOf(ARGV[i + 1]), 1)
      if redis.call('HLEN', KEYS[3]) < most then
        redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
        if ARGV[i + 2] ~= '' then redis.call('HSET', KEYS[6], ARGV[i], ARGV[i + 2]) end
      end
    end
  end
  redis.call('EXPIRE', KEYS[6], ${RETRY_SECONDS})
  local run = redis.call('HMGET', KEYS[1], 'id', 'startedAtMs')
  if run[1] then redis.call('ZADD', KEYS[8], run[2], run[1]) end
end`;

/** Counts the completed batches of the run. Bits beyond its last batch do not count. */
const COUNT_DONE = `local function countDone()
  local run = redis.call('HMGET', KEYS[1], 'sealed', 'batchesTotal')
  local total = math.min(tonumber(run[2] or '0') or 0, ${MAX_BATCHES_OF_RUN})
  if run[1] ~= '1' or total < 0 then return redis.call('BITCOUNT', KEYS[2], 0, ${MAX_BATCHES_OF_RUN / 8 - 1}) end
  local bytes = math.floor(total / 8)
  local done = bytes > 0 and redis.call('BITCOUNT', KEYS[2], 0, bytes - 1) or 0
  for bit = bytes * 8, total - 1 do done = done + redis.call('GETBIT', KEYS[2], bit) end
  return done
end`;

/**
 * Writes the record of a new run and lists it.
 *
 * KEYS  those of the run, sorted set of the runs of its pipeline, sorted set of pipelines
 * ARGV  seconds to keep, run id, specification (JSON), start in ms, pipeline
 * Returns 1
 */
export const CREATE_RUN = script(`
redis.call('HSET', KEYS[1], 'id', ARGV[2], 'startedAtMs', ARGV[4], 'spec', ARGV[3], 'state', 'running', 'stage', 'reading')
redis.call('ZADD', KEYS[7], ARGV[4], ARGV[2])
redis.call('ZADD', KEYS[9], ARGV[4], ARGV[2])
redis.call('ZADD', KEYS[10], ARGV[4], ARGV[5])
${KEEP}
return 1`);

/**
 * Counts a finished batch, once however often it is delivered: the bit decides. A batch of a run that has ended counts
 * too, since its work is done, unless the run was cancelled or ended so long ago that its bits are gone. Its dead letters do
 * not count, nor does one of which nothing was embedded: the next ingest does it again.
 *
 * KEYS  those of the run
 * ARGV  seconds to keep, batch index, worker id, chunks, tokens, bytes, most dead letters kept, truncated chunks,
 *       then (key, JSON, retry job or '') per dead letter
 * Returns 1 counted, 0 not counted (it was before, or must not be any more), -1 the run is not there, -2 the run is
 *         sealed and has no such batch
 */
export const COMPLETE_BATCH = script(`
${ADD_LETTERS}
${ASSERT_THERE}
local run = redis.call('HMGET', KEYS[1], 'sealed', 'batchesTotal', 'state', 'endedAs')
if run[1] and tonumber(ARGV[2]) >= tonumber(run[2]) then return -2 end
local ended = run[3] ~= 'running'
if ended and (run[4] == 'cancelled' or redis.call('EXISTS', KEYS[2]) == 0) then return 0 end
if ended and ARGV[8] and tonumber(ARGV[4]) == 0 then return 0 end
if redis.call('SETBIT', KEYS[2], ARGV[2], 1) == 1 then return 0 end
redis.call('HINCRBY', KEYS[1], 'chunksEmbedded', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'tokensEmbedded', ARGV[5])
redis.call('HINCRBY', KEYS[1], 'bytesDone', ARGV[6])
redis.call('HINCRBY', KEYS[4], ARGV[3] .. ':batches', 1)
redis.call('HINCRBY', KEYS[4], ARGV[3] .. ':chunks', ARGV[4])
if ended then
  redis.call('HINCRBY', KEYS[1], 'batchesDone', 1)
  redis.call('EXPIRE', KEYS[4], ${DETAILS_SECONDS})
  return 1
end
redis.call('HINCRBY', KEYS[1], 'chunksTruncated', ARGV[8])
if #ARGV > 8 then redis.call('HINCRBY', KEYS[1], 'chunksGivenUp', (#ARGV - 8) / 3) end
addLetters(9, tonumber(ARGV[7]))
local bucket = math.floor(tonumber(redis.call('TIME')[1]) / 10)
redis.call('HINCRBY', KEYS[5], bucket, ARGV[4])
redis.call('HDEL', KEYS[5], bucket - 8, bucket - 9, bucket - 10)
${KEEP}
return 1`);

/**
 * Records dead letters of the producer; one that is kept is not counted again, and a slice that is sent twice (ioredis
 * does, when a connection breaks before the answer) counts once, also beyond those that are kept.
 *
 * KEYS  those of the run
 * ARGV  seconds to keep, id of this slice, most dead letters kept, then (key, JSON, retry job or '') per
 *       dead letter
 * Returns 1, 0 the run has ended, -1 the run is not there
 */
export const ADD_DEAD_LETTERS = script(`
${ADD_LETTERS}
${ASSERT_RUNNING}
if redis.call('HGET', KEYS[1], 'lastLetters') == ARGV[2] then return 1 end
redis.call('HSET', KEYS[1], 'lastLetters', ARGV[2])
addLetters(4, tonumber(ARGV[3]))
${KEEP}
return 1`);

/**
 * Forgets dead letters of a run, ended or not.
 *
 * KEYS  those of the run
 * ARGV  seconds to keep, which ('' for all; 'keys' for those that follow; a code for those that follow and all of that
 *       code that are only counted), key, ...
 * Returns how many were counted less, -1 the run is not there
 */
export const DROP_DEAD_LETTERS = script(`
${CODE_OF}
${ASSERT_THERE}
local before = tonumber(redis.call('HGET', KEYS[1], 'deadLetters') or '0')
local function forget(code, count)
  redis.call('HINCRBY', KEYS[1], 'deadLetters', -count)
  if redis.call('HINCRBY', KEYS[1], 'deadLetters:' .. code, -count) <= 0 then
    redis.call('HDEL', KEYS[1], 'deadLetters:' .. code)
  end
end
local function unlist()
  if tonumber(redis.call('HGET', KEYS[1], 'deadLetters') or '0') > 0 then return end
  redis.call('ZREM', KEYS[8], redis.call('HGET', KEYS[1], 'id') or '')
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[3], KEYS[6])
  redis.call('HSET', KEYS[1], 'deadLetters', 0)
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 12) == 'deadLetters:' then redis.call('HDEL', KEYS[1], field) end
  end
  unlist()
  return before
end
for i = 3, #ARGV do
  local letter = redis.call('HGET', KEYS[3], ARGV[i])
  if letter then
    redis.call('HDEL', KEYS[3], ARGV[i])
    forget(codeOf(letter), 1)
  end
  redis.call('HDEL', KEYS[6], ARGV[i])
end
if ARGV[2] ~= 'keys' then
  local left = tonumber(redis.call('HGET', KEYS[1], 'deadLetters:' .. ARGV[2]) or '0')
  if left > 0 then forget(ARGV[2], left) end
end
unlist()
return before - tonumber(redis.call('HGET', KEYS[1], 'deadLetters') or '0')`);

/**
 * Writes fields of a run that exists and has not ended; never brings a lost run back as a fragment.
 *
 * KEYS  those of the run
 * ARGV  seconds to keep, field, value, ...
 * Returns 1, 0 the run has ended, -1 the run is not there
 */
export const UPDATE_RUN = script(`
${ASSERT_RUNNING}
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
${KEEP}
return 1`);

/**
 * Counts a job that was dropped, since embedline did not put it there.
 *
 * KEYS  those of the run
 * Returns 1, -1 the run is not there
 */
export const NOTE_REFUSED_JOB = script(`
${ASSERT_THERE}
redis.call('HINCRBY', KEYS[1], 'jobsRefused', 1)
return 1`);

/**
 * Ends a run. The first end wins. The counts are kept in its record; what they were made from goes.
 *
 * KEYS  those of the run
 * ARGV  seconds to keep, state, message, run id, how it ended when `state` does not say it ('' else)
 * Returns 1 ended now, 0 ended before, -1 the run is not there
 */
export const END_RUN = script(`
${COUNT_DONE}
redis.call('ZREM', KEYS[7], ARGV[4])
${ASSERT_RUNNING}
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'message', ARGV[3], 'stage', 'ended',
  'endedAtMs', now[1] * 1000 + math.floor(now[2] / 1000), 'batchesDone', countDone())
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'endedAs', ARGV[5]) end
redis.call('HDEL', KEYS[1], 'waitingFor', 'lastLetters')
redis.call('DEL', KEYS[5])
redis.call('SETBIT', KEYS[2], 0, redis.call('GETBIT', KEYS[2], 0))
${KEEP}
redis.call('EXPIRE', KEYS[2], ${DETAILS_SECONDS})
redis.call('EXPIRE', KEYS[4], ${DETAILS_SECONDS})
return 1`);

/**
 * Reads everything of a run at one moment. A script and not a MULTI, which a full Redis refuses even for reads.
 *
 * KEYS  those of the run
 * Returns fields and values of the run hash, finished batches, fields and values of the per-worker and the rate hash,
 *         seconds of the clock
 */
export const READ_RUN = script(
  `
${COUNT_DONE}
return { redis.call('HGETALL', KEYS[1]), countDone(), redis.call('HGETALL', KEYS[4]),
  redis.call('HGETALL', KEYS[5]), tonumber(redis.call('TIME')[1]) }`,
  { readOnly: true },
);

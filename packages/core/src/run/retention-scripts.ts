import { script } from './run-scripts.ts';

/** Bytes of a key; 0 when it is not there, or this user may not ask. */
const BYTES = `
local function bytes(key)
  local answer = redis.pcall('MEMORY', 'USAGE', key)
  return type(answer) == 'number' and answer or 0
end`;

/**
 * What runs take of Redis, and what decides whether they are kept.
 *
 * KEYS  for each run: run hash, done bitmap, dead letters hash, per-worker hash, rate hash, retry jobs hash
 * Returns the clock in ms, then for each run its state ('' when it is gone), its end in ms (0 for none), its dead letters,
 *         bytes of its letters and retry jobs, bytes of the rest
 */
export const MEASURE_RUNS = script(
  `
${BYTES}
local now = redis.call('TIME')
local answer = { now[1] * 1000 + math.floor(now[2] / 1000) }
for i = 1, #KEYS, 6 do
  local run = redis.call('HMGET', KEYS[i], 'state', 'endedAtMs', 'deadLetters')
  answer[#answer + 1] = run[1] or ''
  answer[#answer + 1] = tonumber(run[2] or '0')
  answer[#answer + 1] = tonumber(run[3] or '0')
  answer[#answer + 1] = bytes(KEYS[i + 2]) + bytes(KEYS[i + 5])
  answer[#answer + 1] = bytes(KEYS[i]) + bytes(KEYS[i + 1]) + bytes(KEYS[i + 3]) + bytes(KEYS[i + 4])
end
return answer`,
  { readOnly: true },
);

/**
 * Forgets a run that has ended, or only the details of its dead letters.
 *
 * KEYS  run hash, done bitmap, dead letters hash, per-worker hash, rate hash, retry jobs hash; then the lists it may be in
 * ARGV  run id, 'all' or 'letters'
 * Returns bytes that were freed, -1 when the run has not ended
 */
export const FORGET_RUN = script(`
${BYTES}
if redis.call('HGET', KEYS[1], 'state') == 'running' then return -1 end
local freed = 0
for i = 1, 6 do
  if ARGV[2] == 'all' or i == 3 or i == 6 then
    freed = freed + bytes(KEYS[i])
    redis.call('DEL', KEYS[i])
  end
end
if ARGV[2] == 'all' then
  for i = 7, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
end
return freed`);

import { script } from './run-scripts.ts';

/**
 * The next fencing sequence: larger than every earlier one, also when Redis was emptied in between, since it never
 * falls behind the clock. A last one that is a day ahead of the clock was not given out by this script: points with one
 * that follows it could not be replaced for as long.
 *
 * KEYS  sequence
 * Returns the sequence, in milliseconds since the epoch or one more than the last
 */
export const NEXT_SEQUENCE = script(`
local now = redis.call('TIME')
local nowMs = now[1] * 1000 + math.floor(now[2] / 1000)
local last = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if last ~= last or last < 0 or last > nowMs + 86400000 then last = 0 end
local sequence = math.max(math.floor(last) + 1, nowMs)
redis.call('SET', KEYS[1], string.format('%d', sequence))
return sequence`);

/**
 * Takes a lock, or says who has it. Asked again by the owner (ioredis repeats a command whose answer was lost), the
 * lock is still the owner's.
 *
 * KEYS  lock, its last owner
 * ARGV  owner (JSON), time to live in ms, owner who may be replaced ('' for none), ms to remember the last owner
 * Returns '' when it was taken, else the owner
 */
export const ACQUIRE_LOCK = script(`
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] and owner ~= ARGV[3] then return owner end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[4])
return ''`);

/**
 * Renews (time to live > 0) or gives up (0) a lock that is still one's own. One that ran out while Redis or its owner
 * was away is still one's own if nobody had it since.
 *
 * KEYS  lock, its last owner
 * ARGV  owner (JSON), time to live in ms, ms to remember the last owner
 * Returns 1, or 0 when it is another's or was forgotten
 */
export const HOLD_LOCK = script(`
local owner = redis.call('GET', KEYS[1]) or redis.call('GET', KEYS[2])
if owner ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) > 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
else
  redis.call('DEL', KEYS[1], KEYS[2])
end
return 1`);

/**
 * Reads locks at one moment.
 *
 * KEYS  lock, its last owner, for each lock
 * Returns the clock in ms, then for each lock its owner ('' for none), its last owner ('' for none), ms for which the last
 *         owner will be remembered
 */
export const READ_LOCKS = script(
  `
local now = redis.call('TIME')
local answer = { now[1] * 1000 + math.floor(now[2] / 1000) }
for i = 1, #KEYS, 2 do
  answer[#answer + 1] = redis.call('GET', KEYS[i]) or ''
  answer[#answer + 1] = redis.call('GET', KEYS[i + 1]) or ''
  answer[#answer + 1] = redis.call('PTTL', KEYS[i + 1])
end
return answer`,
  { readOnly: true },
);

import type { RedisConnection } from './connection.ts';
import { EmbedlineError, messageOf } from '../errors.ts';
import { describeFinding, ok, problem, warning, type Finding } from '../finding.ts';

/** Clocks further apart than this start delayed and scheduled jobs at the wrong time (hazards B10). */
const MAX_CLOCK_SKEW_MS = 5_000;
const WARN_CLOCK_SKEW_MS = 1_000;
const MIN_VERSION = [6, 2] as const;
/** From here on, a batch or two may fill Redis up. */
const WARN_MEMORY_SHARE = 0.8;

export interface ExamineRedisOptions {
  /** Milliseconds since the epoch. Defaults to Date.now. */
  readonly now?: () => number;
}

type Info = ReadonlyMap<string, string>;

/**
 * Looks at what decides whether jobs are safe in this Redis: version, eviction policy, clock (problems), and
 * persistence, memory, role (warnings). Asks INFO and TIME only: CONFIG is more than a user of Redis should be allowed.
 */
export async function examineRedis(
  redis: RedisConnection,
  options: ExamineRedisOptions = {},
): Promise<Finding[]> {
  const info = await readInfo(redis);
  const facts =
    info === null
      ? [
          warning(
            'Redis settings',
            'This user of Redis may not ask INFO: version, eviction policy and persistence are not known.',
            'Allow it: ACL SETUSER <user> +info',
          ),
        ]
      : [version(info), evictionPolicy(info), persistence(info), memory(info), role(info)];
  return [...facts, await clock(redis, options.now ?? Date.now)];
}

/**
 * What a program checks before it uses a Redis.
 * @returns warnings for people
 * @throws EmbedlineError REDIS_UNSUITABLE for a version below 6.2, an eviction policy other than noeviction (evicted
 * keys are lost jobs), or a clock that is more than 5 seconds off
 */
export async function checkRedis(
  redis: RedisConnection,
  options: ExamineRedisOptions = {},
): Promise<string[]> {
  const findings = await examineRedis(redis, options);
  const refused = findings.find(({ verdict }) => verdict === 'problem');
  if (refused !== undefined) throw new EmbedlineError('REDIS_UNSUITABLE', describeFinding(refused));
  return findings.filter(({ verdict }) => verdict === 'warning').map(describeFinding);
}

async function readInfo(redis: RedisConnection): Promise<Info | null> {
  try {
    const lines = (await redis.info()).split(/\r?\n/).map((line) => line.split(':', 2));
    return new Map(lines.map(([key = '', value = '']) => [key, value]));
  } catch (error) {
    if (/NOPERM/.test(messageOf(error))) return null;
    throw error;
  }
}

function version(info: Info): Finding {
  const found = info.get('redis_version') ?? '0';
  const [major = 0, minor = 0] = found.split('.').map(Number);
  if (major > MIN_VERSION[0] || (major === MIN_VERSION[0] && minor >= MIN_VERSION[1]))
    return ok('Redis version', found);
  return problem(
    'Redis version',
    `This Redis is version ${found}; embedline needs ${MIN_VERSION.join('.')} or later.`,
    'Update it.',
  );
}

function evictionPolicy(info: Info): Finding {
  const policy = info.get('maxmemory_policy') ?? 'noeviction';
  if (policy === 'noeviction') return ok('Redis eviction policy', policy);
  return problem(
    'Redis eviction policy',
    `This Redis evicts keys when it is full (maxmemory-policy ${policy}): jobs and counts would vanish.`,
    'Set it with: redis-cli config set maxmemory-policy noeviction',
  );
}

function persistence(info: Info): Finding {
  const check = 'Redis persistence';
  if (info.get('aof_enabled') === '0') {
    return warning(
      check,
      'This Redis has no append-only file: a restart loses runs under way (that is noticed, and ingesting again converges).',
      'Switch it on with: redis-cli config set appendonly yes',
    );
  }
  if (info.get('aof_last_write_status') === 'err') {
    return warning(
      check,
      'This Redis could not write its append-only file: it takes no jobs until it can.',
      'Look at its log, and at the free space of its disk.',
    );
  }
  return ok(check, 'append-only file');
}

function memory(info: Info): Finding {
  const check = 'Redis memory';
  const [used, limit] = [Number(info.get('used_memory') ?? 0), Number(info.get('maxmemory') ?? 0)];
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 1024 / 1024)} MiB`;
  if (limit === 0) return ok(check, `${mebibytes(used)} used, no limit of its own`);
  if (used < WARN_MEMORY_SHARE * limit) return ok(check, `${mebibytes(used)} of ${mebibytes(limit)} used`);
  return warning(
    check,
    `This Redis is nearly full (${mebibytes(used)} of ${mebibytes(limit)}): at its limit neither producer nor workers go on.`,
    'Raise it with: redis-cli config set maxmemory <bytes>',
  );
}

function role(info: Info): Finding {
  if (info.get('role') !== 'slave') return ok('Redis role', 'takes writes');
  return warning(
    'Redis role',
    'This Redis is a replica, and takes no writes.',
    'Name the primary in REDIS_URL, or wait until the failover is over.',
  );
}

async function clock(redis: RedisConnection, now: () => number): Promise<Finding> {
  const check = 'clock';
  const [seconds, micros] = await redis.time();
  const skewMs = Math.abs(now() - (Number(seconds) * 1000 + Number(micros) / 1000));
  const found = `The clocks of this machine and of Redis are ${(skewMs / 1000).toFixed(1)} seconds apart.`;
  const remedy = 'Synchronise them (NTP).';
  if (skewMs > MAX_CLOCK_SKEW_MS) return problem(check, found, remedy);
  if (skewMs > WARN_CLOCK_SKEW_MS) return warning(check, found, remedy);
  return ok(check, `${Math.round(skewMs)} ms from that of Redis`);
}

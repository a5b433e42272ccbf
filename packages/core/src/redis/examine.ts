import { DEFAULT_PREFIX } from '../default-prefix.ts';
import { EmbedlineError, messageOf } from '../errors.ts';
import { describeFinding, ok, problem, warning, type Finding } from '../finding.ts';
import { redisNowMs } from './clock.ts';
import type { RedisConnection } from './connection.ts';
import type { RedisInfo } from './info.ts';
import { readInfo } from './probe-process.ts';
import { ownerOf, someKey } from './slot-owner.ts';

/** Clocks further apart than this start delayed and scheduled jobs at the wrong time (hazards B10). */
const MAX_CLOCK_SKEW_MS = 5_000;
const WARN_CLOCK_SKEW_MS = 1_000;
const MIN_VERSION = [6, 2] as const;
/** From here on, a batch or two may fill Redis up. */
const WARN_MEMORY_SHARE = 0.8;

export interface ExamineRedisOptions {
  /** Milliseconds since the epoch. Defaults to Date.now. */
  readonly now?: () => number;
  /** Of the keys: decides which node of a cluster is looked at. Defaults to that of the configuration. */
  readonly prefix?: string;
}

/**
 * Looks at what decides whether jobs are safe in this Redis: version, eviction policy, rights, clock (problems), and
 * persistence, memory, role (warnings). Of a cluster, that is the node which holds our keys. Asks INFO and TIME only: CONFIG
 * is more than a user of Redis should be allowed.
 */
export async function examineRedis(
  redis: RedisConnection,
  options: ExamineRedisOptions = {},
): Promise<Finding[]> {
  const { prefix = DEFAULT_PREFIX } = options;
  const info = await readInfo(await ownerOf(redis, prefix));
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
  return [...facts, await clock(redis, prefix, options.now ?? Date.now)];
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

function version(info: RedisInfo): Finding {
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

function evictionPolicy(info: RedisInfo): Finding {
  const policy = info.get('maxmemory_policy') ?? 'noeviction';
  if (policy === 'noeviction') return ok('Redis eviction policy', policy);
  return problem(
    'Redis eviction policy',
    `This Redis evicts keys when it is full (maxmemory-policy ${policy}): jobs and counts would vanish.`,
    'Set it with: redis-cli config set maxmemory-policy noeviction',
  );
}

function persistence(info: RedisInfo): Finding {
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
  if (info.get('rdb_last_bgsave_status') === 'err') {
    return warning(
      check,
      'This Redis could not save a snapshot of its data: unless stop-writes-on-bgsave-error is off, it takes no jobs (MISCONF).',
      'Look at its log, and at the free space of its disk.',
    );
  }
  return ok(check, 'append-only file');
}

function memory(info: RedisInfo): Finding {
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

function role(info: RedisInfo): Finding {
  if (info.get('role') !== 'slave') return ok('Redis role', 'takes writes');
  return warning(
    'Redis role',
    'This Redis is a replica, and takes no writes.',
    'Name the primary in REDIS_URL, or wait until the failover is over.',
  );
}

async function clock(redis: RedisConnection, prefix: string, now: () => number): Promise<Finding> {
  const check = 'clock';
  let redisMs: number;
  try {
    redisMs = await redisNowMs(redis, someKey(prefix));
  } catch (error) {
    return rights(error, prefix);
  }
  const skewMs = Math.abs(now() - redisMs);
  const found = `The clocks of this machine and of Redis are ${(skewMs / 1000).toFixed(1)} seconds apart.`;
  const remedy = 'Synchronize them (NTP).';
  if (skewMs > MAX_CLOCK_SKEW_MS) return problem(check, found, remedy);
  if (skewMs > WARN_CLOCK_SKEW_MS) return warning(check, found, remedy);
  return ok(check, `${Math.round(skewMs)} ms from that of Redis`);
}

/** The clock is asked by a script with a key of ours: what everything else needs too. */
function rights(error: unknown, prefix: string): Finding {
  const message = messageOf(error);
  if (/NOPERM|No permission/i.test(message)) {
    return problem(
      'Redis rights',
      `This user of Redis may not run scripts on the keys ${prefix}:* (${message}).`,
      'Give it the rules of SECURITY.md (A user for Redis), for the prefix in EMBEDLINE_PREFIX.',
    );
  }
  if (/unknown command/i.test(message)) {
    return problem(
      'Redis rights',
      `This Redis does not know EVAL: it was renamed or taken away (rename-command), and embedline works by scripts.`,
      'Remove that rename-command; to restrict users, use an ACL (SECURITY.md).',
    );
  }
  throw error;
}

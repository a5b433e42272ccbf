import type { Redis } from 'ioredis';
import { EmbedlineError, messageOf } from '../errors.ts';
import { connectRedis, redactUrl } from './connection.ts';

/** Clocks further apart than this start delayed and scheduled jobs at the wrong time (hazards B10). */
const MAX_CLOCK_SKEW_MS = 5_000;
const WARN_CLOCK_SKEW_MS = 1_000;
const MIN_VERSION = [6, 2] as const;

/**
 * Connects once and says in plain words why that fails.
 * @throws EmbedlineError REDIS_UNREACHABLE
 */
export async function probeRedis(url: string): Promise<void> {
  const redis = connectRedis({ url, role: 'probe', name: 'embedline-probe' });
  let connectionError: Error | null = null;
  redis.on('error', (error: Error) => (connectionError = error));
  try {
    await redis.ping();
  } catch (error) {
    throw unreachable(url, connectionError ?? error);
  } finally {
    redis.disconnect();
  }
}

function unreachable(url: string, cause: unknown): EmbedlineError {
  const message = messageOf(cause);
  const where = `Redis at ${redactUrl(url)}`;
  if (/NOAUTH|WRONGPASS|NOPERM|invalid password|invalid username/i.test(message)) {
    return new EmbedlineError(
      'REDIS_UNREACHABLE',
      `${where} refused the login (${message.split(' ')[0]}). Put the right user and password into REDIS_URL: redis://user:password@host:port.`,
      { cause },
    );
  }
  if (/Protocol error/i.test(message)) {
    return new EmbedlineError(
      'REDIS_UNREACHABLE',
      `What answers at ${redactUrl(url)} is not a Redis. Check host and port of REDIS_URL.`,
      { cause },
    );
  }
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  return new EmbedlineError(
    'REDIS_UNREACHABLE',
    `${where} cannot be reached (${code ?? message}). Start it, or correct REDIS_URL, or unset it to let embedline start a private one.`,
    { cause, retryable: true },
  );
}

/**
 * Checks what decides whether jobs are safe in this Redis.
 * @returns warnings for people
 * @throws EmbedlineError REDIS_UNSUITABLE for a version below 6.2, an eviction policy other than noeviction (evicted
 * keys are lost jobs), or a clock that is more than 5 seconds off
 */
export async function checkRedis(redis: Redis): Promise<string[]> {
  const info = parseInfo(await redis.info());
  assertVersion(info.get('redis_version') ?? '0');
  const policy = info.get('maxmemory_policy') ?? 'noeviction';
  if (policy !== 'noeviction') {
    throw new EmbedlineError(
      'REDIS_UNSUITABLE',
      `This Redis evicts keys when it is full (maxmemory-policy ${policy}): jobs and counts would vanish. ` +
        `Set it with: redis-cli config set maxmemory-policy noeviction`,
    );
  }
  const warnings = await clockWarnings(redis);
  if (info.get('aof_enabled') === '0') {
    warnings.push(
      'This Redis has no append-only file: a restart loses runs under way (that is noticed, and ingesting again converges). ' +
        'Switch it on with: redis-cli config set appendonly yes',
    );
  }
  return warnings;
}

function assertVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > MIN_VERSION[0] || (major === MIN_VERSION[0] && minor >= MIN_VERSION[1])) return;
  throw new EmbedlineError(
    'REDIS_UNSUITABLE',
    `This Redis is version ${version}; embedline needs 6.2 or later.`,
  );
}

async function clockWarnings(redis: Redis): Promise<string[]> {
  const [seconds, micros] = await redis.time();
  const skewMs = Math.abs(Date.now() - (Number(seconds) * 1000 + Number(micros) / 1000));
  if (skewMs > MAX_CLOCK_SKEW_MS) {
    throw new EmbedlineError(
      'REDIS_UNSUITABLE',
      `The clocks of this machine and of Redis are ${Math.round(skewMs / 1000)} seconds apart. Synchronise them (NTP).`,
    );
  }
  if (skewMs <= WARN_CLOCK_SKEW_MS) return [];
  return [`The clocks of this machine and of Redis are ${(skewMs / 1000).toFixed(1)} seconds apart.`];
}

function parseInfo(text: string): Map<string, string> {
  const entries = text.split(/\r?\n/).map((line) => line.split(':', 2) as [string, string?]);
  return new Map(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

import type { Redis } from 'ioredis';
import { EmbedlineError } from '../errors.ts';
import type { RedisAccess } from './access.ts';
import { formatHostPort, type HostPort, type SentinelAddress } from './address.ts';
import { askProcess } from './probe-process.ts';

export interface AskSentinelOptions {
  readonly access: RedisAccess;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks one Sentinel something, with the password of the Sentinels.
 * @throws EmbedlineError REDIS_UNREACHABLE, REDIS_UNSUITABLE
 */
export function askSentinel<T>(
  sentinel: HostPort,
  { tls }: SentinelAddress,
  { access, signal }: AskSentinelOptions,
  ask: (redis: Redis) => Promise<T>,
): Promise<T> {
  const login = { username: null, password: access.sentinelPassword };
  const address = { kind: 'server', ...sentinel, database: 0, login, tls } as const;
  return askProcess(address, { access: { ...access, password: null }, kind: 'Sentinel', signal }, ask);
}

/**
 * Where the primary is, as a Sentinel knows.
 * @throws EmbedlineError REDIS_UNREACHABLE; REDIS_UNSUITABLE for a name that it does not know
 */
export function primaryOf(
  sentinel: HostPort,
  address: SentinelAddress,
  options: AskSentinelOptions,
): Promise<HostPort> {
  return askSentinel(sentinel, address, options, async (redis) => {
    const { primaryName } = address;
    const found = await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', primaryName);
    if (Array.isArray(found)) return { host: String(found[0]), port: Number(found[1]) };
    const names = await redis.call('SENTINEL', 'MASTERS').then(primaryNames, () => []);
    throw new EmbedlineError(
      'REDIS_UNSUITABLE',
      `Sentinel at ${formatHostPort(sentinel)} watches no primary of the name ${primaryName}. ` +
        (names.length === 0 ? 'It watches none at all.' : `It watches: ${names.join(', ')}.`) +
        ` Write the right name behind the hosts in REDIS_URL.`,
    );
  });
}

/** From the answer to SENTINEL MASTERS: fields and values by turns, for each. Names that may not be shown are left out. */
export function primaryNames(masters: unknown): string[] {
  return fieldsOfEach(masters).flatMap((fields) => {
    const name = fields.get('name') ?? '';
    return /^[\w.-]{1,100}$/.test(name) ? [name] : [];
  });
}

/** A list of lists of fields and values by turns. */
export function fieldsOfEach(answer: unknown): Map<string, string>[] {
  if (!Array.isArray(answer)) return [];
  return answer.filter(Array.isArray).map((flat: unknown[]) => {
    const pairs = flat.flatMap((field, index) =>
      index % 2 === 0 ? [[String(field), String(flat[index + 1])] as const] : [],
    );
    return new Map(pairs);
  });
}

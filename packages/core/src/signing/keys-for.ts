import type { Config } from '../config.ts';
import type { RedisLease } from '../redis/private-redis.ts';
import { readKeyFile } from './read-signing-keys.ts';
import type { SigningKeys } from './signing-keys.ts';

/** The keys of the environment, else those that a private Redis has of its own; null where there are none. */
export function signingKeysFor(
  { signingKeys, encryptsTexts }: Pick<Config, 'signingKeys' | 'encryptsTexts'>,
  { signingKeyFile }: Pick<RedisLease, 'signingKeyFile'>,
): SigningKeys | null {
  if (signingKeys !== null || signingKeyFile === null) return signingKeys;
  return readKeyFile(signingKeyFile, encryptsTexts);
}

/** What tells a child process of the same keys: those of the environment it has already. */
export function signingEnvironment(
  { signingKeys }: Pick<Config, 'signingKeys'>,
  { signingKeyFile }: Pick<RedisLease, 'signingKeyFile'>,
): Record<string, string> {
  return signingKeys !== null || signingKeyFile === null
    ? {}
    : { EMBEDLINE_SIGNING_KEY_FILE: signingKeyFile };
}

import {
  formatAddress,
  hostsOf,
  isLoopback,
  parseRedisUrl,
  warning,
  type Config,
  type Finding,
} from '@embedline/core';
import type { Check } from './check.ts';

/** Whether texts and secrets travel unprotected. Warnings: a private network may be protection enough. */
export const transport: Check = {
  name: 'transport',
  examine: ({ context: { config } }) =>
    Promise.resolve([
      ...examineRedisUrl(config),
      ...examineQdrantUrl(config.qdrantUrl, config.qdrantApiKey !== null),
    ]),
};

function examineRedisUrl({ redisUrl, redisAccess }: Config): Finding[] {
  if (redisUrl === null) return [];
  const address = parseRedisUrl(redisUrl);
  const remote = hostsOf(address).find((host) => !isLoopback(host));
  if (remote === undefined) return [];
  const findings: Finding[] = [];
  if (!address.tls) {
    findings.push(
      warning(
        'Redis transport',
        `Texts and the password go to ${remote} unencrypted.`,
        `Use ${
          formatAddress(address)
            .replace(/^redis/, 'rediss')
            .split('//')[0] ?? ''
        }// unless only your own machines see that network.`,
      ),
    );
  }
  if (address.login.password === null && redisAccess.password === null) {
    findings.push(
      warning(
        'Redis access',
        `Redis at ${remote} asks for no password: whoever reaches it may change what is embedded.`,
        'Make a user for embedline (SECURITY.md) and name it in REDIS_URL.',
      ),
    );
  }
  return findings;
}

function examineQdrantUrl(url: string | null, hasKey: boolean): Finding[] {
  if (url === null) return [];
  const { protocol, hostname } = new URL(url);
  if (isLoopback(hostname)) return [];
  if (!hasKey) {
    return [
      warning(
        'Qdrant access',
        `No API key is used for Qdrant at ${hostname}: whoever reaches it may read and write.`,
        'Set one in Qdrant (service.api_key) and in QDRANT_API_KEY.',
      ),
    ];
  }
  if (protocol === 'https:') return [];
  return [
    warning(
      'Qdrant transport',
      `The API key goes to ${hostname} unencrypted.`,
      'Use https:// unless only your own machines see that network.',
    ),
  ];
}

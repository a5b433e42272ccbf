import { isEmbedlineError, loadConfig, probeRedis, type EmbedlineError } from '@embedline/core';

/** What the probe says of a URL; it must refuse it. */
export async function refusal(url: string, env: Record<string, string> = {}): Promise<EmbedlineError> {
  const { redisAccess: access } = loadConfig({ REDIS_URL: url, ...env });
  const error: unknown = await probeRedis(url, { access }).then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  if (!isEmbedlineError(error)) throw error;
  return error;
}

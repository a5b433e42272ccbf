import { EmbedlineError, messageOf } from '../errors.ts';
import { certificateTrouble } from '../tls.ts';
import { connectRedis, redactUrl } from './connection.ts';

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
  const certificate = certificateTrouble(code);
  if (certificate !== null)
    return new EmbedlineError('REDIS_UNREACHABLE', `${where} cannot be trusted: ${certificate}`, { cause });
  return new EmbedlineError(
    'REDIS_UNREACHABLE',
    `${where} cannot be reached (${code ?? message}). Start it, or correct REDIS_URL, or unset it to let embedline start a private one.`,
    { cause, retryable: true },
  );
}

import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbedlineError, messageOf } from '../errors.ts';
import { certificateTrouble, clientCertificateTrouble } from '../tls.ts';
import { serverOptions, tlsOptions } from './client-options.ts';
import type { RedisAccess } from './access.ts';
import { diagnose, type ProcessAddress, type ProcessKind } from './diagnose.ts';
import { parseInfo, type RedisInfo } from './info.ts';
import { inspectPort, type Port } from './inspect-port.ts';

/** Covers connecting, logging in and a few answers. */
const PROBE_TIMEOUT_MS = 5_000;

export interface ProbeOptions {
  readonly access: RedisAccess;
  readonly kind?: ProcessKind;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks one process something over a connection of its own, and says in plain words why that fails.
 * @throws EmbedlineError REDIS_UNREACHABLE, REDIS_UNSUITABLE; the signal's reason
 */
export async function askProcess<T>(
  address: ProcessAddress,
  { access, kind = 'Redis', signal }: ProbeOptions,
  ask: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis({
    ...serverOptions(address, { access, role: 'probe', name: 'embedline-probe' }),
    // Asked for explicitly, so that an error of it is not passed over.
    db: 0,
    enableReadyCheck: false,
    reconnectOnError: null,
  });
  let connectionError: Error | null = null;
  redis.on('error', (error: Error) => (connectionError ??= error));
  const stop = new AbortController();
  try {
    return await Promise.race([
      ask(redis),
      tooLate(AbortSignal.any([stop.signal, ...(signal === undefined ? [] : [signal])])),
    ]);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof EmbedlineError) throw error;
    const cause = connectionError ?? error;
    const peer = isSpeechless(cause) ? await inspectPort(portOf(address), tlsOptions(address, access)) : null;
    throw diagnose(cause, address, kind, peer);
  } finally {
    stop.abort();
    redis.disconnect();
  }
}

/** What INFO says; null when this user may not ask. */
export async function readInfo(redis: Redis): Promise<RedisInfo | null> {
  try {
    return parseInfo(await redis.info());
  } catch (error) {
    if (/NOPERM/.test(messageOf(error))) return null;
    throw error;
  }
}

class ProbeTimeout extends Error {}

async function tooLate(signal: AbortSignal): Promise<never> {
  await delay(PROBE_TIMEOUT_MS, undefined, { signal });
  throw new ProbeTimeout(`no answer within ${PROBE_TIMEOUT_MS / 1000} seconds`);
}

/** True for an error that does not tell what went wrong: the port has to be looked at. */
function isSpeechless(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  // A refusal by Redis itself names the command that it refused.
  if (typeof error === 'object' && error !== null && 'command' in error) return false;
  if (certificateTrouble(code) !== null || clientCertificateTrouble(code) !== null) return false;
  return !/^(ECONNREFUSED|ENOTFOUND|EAI_|ENOENT|EACCES|ENOTSOCK|EHOST|ENET)/.test(code ?? '');
}

function portOf(address: ProcessAddress): Port {
  return address.kind === 'socket' ? { path: address.path } : { host: address.host, port: address.port };
}

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RedisConnection } from './connection.ts';
import { z } from 'zod';
import type { RedisAccess } from './access.ts';
import { connectRedis } from './connection.ts';
import { withFileMutex } from './file-mutex.ts';
import { locateServer } from './locate-server.ts';
import { probeRedis } from './probe.ts';
import { serverUrl, startServer, type ServerAddress } from './server-process.ts';

export interface AcquireRedisOptions {
  /** Folder of the private server's data and state: `<dataDirectory>/redis`. */
  readonly dataDirectory: string;
  /** REDIS_URL: then nothing is started, joined or stopped. */
  readonly url?: string | undefined;
  /** For the Redis of that URL. */
  readonly access?: RedisAccess | undefined;
  /** Of the keys: decides which node of a cluster must be there. */
  readonly prefix?: string | undefined;
  readonly noInstall: boolean;
  readonly announce: (message: string) => void;
  readonly signal?: AbortSignal;
}

export interface RedisLease {
  readonly url: string;
  readonly origin: 'configured' | 'started' | 'joined';
  /** Lets go; the last user of a private Redis stops it. Idempotent. */
  close(): Promise<void>;
}

/** Users of a private Redis are its connections of this name: one that was killed is gone by itself. */
const LEASE_NAME = 'embedline-lease';
const STATE_FILE = 'server.json';

const stateSchema = z.object({ port: z.int().positive(), password: z.string().min(1) });

/**
 * A Redis for as long as the lease is held: the configured one; else the private one of this data directory, joined if
 * another embedline command has it running, started if not. Joining, starting and leaving exclude each other across
 * processes.
 * @throws EmbedlineError REDIS_UNREACHABLE, REDIS_UNSUITABLE, REDIS_NOT_INSTALLED
 */
export async function acquireRedis(options: AcquireRedisOptions): Promise<RedisLease> {
  if (options.url !== undefined) {
    const { url, access, prefix, signal } = options;
    await probeRedis(url, { access, prefix, signal });
    return { url, origin: 'configured', close: () => Promise.resolve() };
  }
  const directory = join(options.dataDirectory, 'redis');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const mutex = join(directory, 'mutex.db');
  return withFileMutex(mutex, () => joinOrStart(options, directory, mutex), options.signal);
}

async function joinOrStart(
  options: AcquireRedisOptions,
  directory: string,
  mutex: string,
): Promise<RedisLease> {
  const running = await findRunning(directory);
  if (running !== null) return lease(running, 'joined', mutex);
  const source = await locateServer(options);
  const address = await startServer(source, directory, options.signal);
  await writeFile(join(directory, STATE_FILE), JSON.stringify(address), { mode: 0o600 });
  return lease(address, 'started', mutex);
}

/** The server that the state file names, if it answers to the password there: another program on that port will not. */
async function findRunning(directory: string): Promise<ServerAddress | null> {
  const text = await readFile(join(directory, STATE_FILE), 'utf8').catch(() => 'null');
  const state = stateSchema.safeParse(parseOrNull(text));
  if (!state.success) return null;
  return probeRedis(serverUrl(state.data)).then(
    () => state.data,
    () => null,
  );
}

async function lease(
  address: ServerAddress,
  origin: 'started' | 'joined',
  mutex: string,
): Promise<RedisLease> {
  const url = serverUrl(address);
  const presence = connectRedis({ url, role: 'producer', name: LEASE_NAME });
  await presence.ping();
  let closing: Promise<void> | null = null;
  return { url, origin, close: () => (closing ??= withFileMutex(mutex, () => leave(presence))) };
}

async function leave(presence: RedisConnection): Promise<void> {
  try {
    const clients = String(await presence.client('LIST'));
    const users = clients.split('\n').filter((line) => line.includes(` name=${LEASE_NAME} `));
    if (users.length <= 1) await shutDown(presence);
  } catch {
    // The server is gone already: there is nothing left to stop.
  } finally {
    presence.disconnect();
  }
}

/**
 * SHUTDOWN has no answer but the closed connection, unless it is refused; the append-only file is flushed before. A
 * server that stays is joined, and stopped, by the next command.
 */
async function shutDown(presence: RedisConnection): Promise<void> {
  const closed = new Promise<void>((resolve) => presence.once('close', resolve));
  await Promise.race([closed, presence.shutdown('NOSAVE').catch(() => undefined)]);
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

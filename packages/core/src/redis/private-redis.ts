import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { within } from '../lifecycle.ts';
import type { RedisAccess } from './access.ts';
import { connectRedis, type RedisConnection } from './connection.ts';
import { withFileMutex } from './file-mutex.ts';
import { keepWatched, LEASE_NAME, startWatcher } from './keep-watched.ts';
import { locateServer } from './locate-server.ts';
import { ensureSigningKey } from './private-key.ts';
import { probeRedis } from './probe.ts';
import {
  addressFile,
  findRunning,
  newAddress,
  serverUrl,
  writeAddress,
  type ServerAddress,
} from './server-address.ts';
import { openServerFolder } from './server-folder.ts';
import { startServer } from './server-process.ts';

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
  /** Start a private Redis again when it dies during the lease. Defaults to true. */
  readonly restart?: boolean;
}

export interface RedisLease {
  readonly url: string;
  readonly origin: 'configured' | 'started' | 'joined';
  /** The key that the users of a private Redis sign with; null for the configured one. */
  readonly signingKeyFile: string | null;
  /** Lets go; the last user of a private Redis stops it. Idempotent. */
  close(): Promise<void>;
}

/** Leaving takes no longer, whatever the server or another user does. */
const LEAVE_DEADLINE_MS = 5_000;
/** A connection that broke for another reason is back by then. */
const RESTART_AFTER_MS = 500;

/**
 * A Redis for as long as the lease is held: the configured one; else the private one of this data directory, joined if
 * another embedline command has it running, started if not. Joining, starting and leaving exclude each other across
 * processes. One that dies is started again from its append-only file, by one of its users; one whose users were all
 * killed is stopped within seconds, see watch-server.ts.
 * @throws EmbedlineError REDIS_UNREACHABLE, REDIS_UNSUITABLE, REDIS_NOT_INSTALLED, STATE_UNSAFE, STATE_UNUSABLE
 */
export async function acquireRedis(options: AcquireRedisOptions): Promise<RedisLease> {
  if (options.url !== undefined) {
    const { url, access, prefix, signal } = options;
    await probeRedis(url, { access, prefix, signal });
    return { url, origin: 'configured', signingKeyFile: null, close: () => Promise.resolve() };
  }
  const directory = openServerFolder(options.dataDirectory);
  const mutex = join(directory, 'mutex.db');
  return withFileMutex(mutex, () => joinOrStart(options, directory, mutex), options.signal);
}

async function joinOrStart(
  options: AcquireRedisOptions,
  directory: string,
  mutex: string,
): Promise<RedisLease> {
  const running = await findRunning(directory);
  if (running !== null) return lease(running, 'joined', { options, directory, mutex });
  const address = await start(options, directory);
  return lease(address, 'started', { options, directory, mutex });
}

/** @param known where it is to answer; defaults to a new password */
async function start(
  options: AcquireRedisOptions,
  directory: string,
  known?: ServerAddress,
): Promise<ServerAddress> {
  const source = await locateServer(options);
  const address = known ?? (await newAddress(directory));
  await writeAddress(directory, address);
  // Before the server: this process may be killed at any moment, and the server would then be left to nobody.
  startWatcher(addressFile(directory));
  await startServer(source, { directory, signal: options.signal, address });
  return address;
}

interface Place {
  readonly options: AcquireRedisOptions;
  readonly directory: string;
  readonly mutex: string;
}

async function lease(
  address: ServerAddress,
  origin: 'started' | 'joined',
  place: Place,
): Promise<RedisLease> {
  const url = serverUrl(address);
  const presence = connectRedis({ url, role: 'producer', name: LEASE_NAME });
  await presence.ping();
  const restarts = place.options.restart === false ? null : restartWhenDead(presence, address, place);
  const watch = keepWatched(presence, addressFile(place.directory));
  let closing: Promise<void> | null = null;
  const close = async () => {
    restarts?.close();
    watch.close();
    const leaving = withFileMutex(place.mutex, () => leave(presence), AbortSignal.timeout(LEAVE_DEADLINE_MS));
    // A server that is left running is stopped by its watcher.
    await within(
      LEAVE_DEADLINE_MS,
      leaving.catch(() => undefined),
    );
    presence.disconnect();
  };
  const signingKeyFile = await ensureSigningKey(place.directory);
  return { url, origin, signingKeyFile, close: () => (closing ??= close()) };
}

/**
 * Starts the server again, at the same address, when it is gone: the first of its users that has the mutex does it, the
 * others find it running.
 */
function restartWhenDead(
  presence: RedisConnection,
  address: ServerAddress,
  { options, directory, mutex }: Place,
): { close(): void } {
  const closed = new AbortController();
  const { announce } = options;
  let timer: NodeJS.Timeout | undefined;
  let lastProblem = '';
  const restart = async () => {
    const signal = AbortSignal.any([
      closed.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    try {
      const started = await withFileMutex(
        mutex,
        async () => {
          signal.throwIfAborted();
          if ((await findRunning(directory)) !== null) return false;
          await start({ ...options, signal }, directory, address);
          return true;
        },
        signal,
      );
      if (started) announce('The private Redis had ended, and was started again from its append-only file.');
      lastProblem = '';
    } catch (error) {
      const problem = messageOf(error);
      if (!signal.aborted && problem !== lastProblem)
        announce(`The private Redis has ended, and cannot be started again: ${problem}`);
      lastProblem = problem;
    } finally {
      timer = undefined;
    }
  };
  // Comes again at each attempt to connect that fails.
  presence.on('close', () => {
    if (!closed.signal.aborted) timer ??= setTimeout(() => void restart(), RESTART_AFTER_MS);
  });
  return {
    close: () => {
      closed.abort();
      clearTimeout(timer);
    },
  };
}

async function leave(presence: RedisConnection): Promise<void> {
  // A server that is gone has nothing left to stop, and would only be waited for.
  if (presence.status !== 'ready') return;
  try {
    const clients = String(await presence.client('LIST'));
    const users = clients.split('\n').filter((line) => line.includes(` name=${LEASE_NAME} `));
    if (users.length <= 1) await shutDown(presence);
  } catch {
    // The server has just gone.
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
